#!/usr/bin/python3
"""raw_protocol.py OUT JOBS [TEST...]: runs Samba's wire suite, or these tests of it, JOBS at a time, and writes a JSON line
per test to OUT.

The suite (samba.tests.dcerpc.raw_protocol in python3-samba) speaks to a server in PDUs of its own making: malformed ones,
alter_context, fragments, orphans, several security contexts on one connection. It takes its server and users from the
environment: SERVER, TARGET_HOSTNAME, USERNAME, PASSWORD, DOMAIN, REALM, SMB_CONF_PATH and so on.

    {"test": "test_no_auth_bind_min", "verdict": "ok"}

Verdicts are ok, skip, or failure and error with the reason, where numbers that differ from run to run are left out.
The tests print to standard output, so only a result object tells their verdicts reliably. Most of the time goes by in
tests that wait a second for an answer that must not come: many jobs cost little.
"""
import json
import multiprocessing
import os
import re
import sys
import unittest

import samba.tests.dcerpc.raw_protocol as suite


class Verdicts(unittest.TestResult):
    def __init__(self, out):
        super().__init__()
        self.out = out

    def write(self, test, verdict):
        print(json.dumps({'test': test.id().split('.')[-1], 'verdict': verdict}), file=self.out, flush=True)

    def addSuccess(self, test):
        self.write(test, 'ok')

    def addSkip(self, test, reason):
        self.write(test, 'skip')

    def addFailure(self, test, err):
        self.write(test, 'failure: ' + reason(err))

    def addError(self, test, err):
        self.write(test, 'error: ' + reason(err))


def reason(err):
    kind, value, _ = err
    text = str(value).split('\n')[0]
    return '%s %s' % (kind.__name__, re.sub(r'0x[0-9a-fA-F]+|\d{4,}|(?<=fd=)\d+', '#', text)[:160])


def tests_of(node):
    if isinstance(node, unittest.TestSuite):
        for child in node:
            yield from tests_of(child)
    else:
        yield node


def work(tests, turn, path):
    """Runs tests until none is left, or nobody who would read of them; turn is shared with the other jobs."""
    parent = os.getppid()
    with open(path, 'a') as out:
        verdicts = Verdicts(out)
        while os.getppid() == parent:
            with turn.get_lock():
                mine, turn.value = turn.value, turn.value + 1
            if mine >= len(tests):
                return
            tests[mine].run(verdicts)


def main(path, jobs, *only):
    tests = sorted(tests_of(unittest.defaultTestLoader.loadTestsFromModule(suite)), key=lambda test: test.id())
    tests = [test for test in tests if not only or test.id().split('.')[-1] in only]
    turn = multiprocessing.Value('i', 0)
    workers = [multiprocessing.Process(target=work, args=(tests, turn, path)) for _ in range(int(jobs))]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    sys.exit(any(w.exitcode for w in workers))


if __name__ == '__main__':
    main(*sys.argv[1:])
