package main

import (
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// logWriter is the log. It never fails: what it does not take, because its reader has ended or its
// disk is full, is counted as lost. A full pipe makes Write wait.
type logWriter struct {
	mu   sync.Mutex
	out  io.Writer
	lost atomic.Uint64
}

// Write writes one record.
func (w *logWriter) Write(record []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.out.Write(record); err != nil {
		w.lost.Add(1)
	}
	return len(record), nil
}

const (
	// lateRecords is how many records may wait for a log that takes none: what the program has to
	// say of itself is a few, and a warning for each line of the configuration.
	lateRecords = 1000
	// lateTime is how long the log may take for the last of them.
	lateTime = time.Second
)

// lateWriter writes records to the log and never waits for it: what the log does not take in time is lost.
type lateWriter struct {
	log   *logWriter
	queue chan []byte
	stop  chan struct{} // closed when no record is awaited any more
	ended chan struct{}
}

func newLateWriter(log *logWriter) *lateWriter {
	w := &lateWriter{log: log, queue: make(chan []byte, lateRecords), stop: make(chan struct{}), ended: make(chan struct{})}
	go w.run()
	return w
}

func (w *lateWriter) run() {
	defer close(w.ended)
	for {
		select {
		case record := <-w.queue:
			_, _ = w.log.Write(record) // it never fails
			continue
		default:
		}
		select {
		case record := <-w.queue:
			_, _ = w.log.Write(record)
		case <-w.stop:
			return
		}
	}
}

// Write takes one record.
func (w *lateWriter) Write(record []byte) (int, error) {
	select {
	case w.queue <- append([]byte(nil), record...):
	default:
		w.log.lost.Add(1)
	}
	return len(record), nil
}

// close waits for the last record, no longer than lateTime. A record that comes later may be lost.
func (w *lateWriter) close() {
	close(w.stop)
	select {
	case <-w.ended:
	case <-time.After(lateTime):
	}
}
