// Command perf compares nspiproxy with HAProxy and nginx as TCP proxies on this machine, in one run: each of them, and
// no proxy at all, in front of the same server that speaks DCE/RPC, under the same load, in interleaved rounds whose
// order rotates. A shared machine drifts, so the numbers are medians and what counts are their ratios. It prints a
// Markdown table.
//
//	go run ./internal/testkit/lab/perf [-rounds 5] [-time 2s] [-idle 5000]
//
// Needs root (nginx starts as such), haproxy and nginx with its stream module: testdata/lab/install.sh.
//
// What is measured:
//
//	ping     32 connections, each with one request of 200 stub bytes at a time, answered by 1024: rate, p50, p99, and the
//	         CPU time of the proxy per request
//	connect  8 workers: connect, bind, one request, close
//	idle     memory (PSS) per connection that is bound and has had one answer, without and with an NSPI session
//
// The client checks every answer; an error ends the run.
package main
