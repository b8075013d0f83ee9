package relay

import (
	"os"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// message asks a loop to do something for another goroutine.
type message struct {
	op       op
	conn     *Conn     // of opWake, opDecide
	decide   Decision  // of opDecide
	acceptor *acceptor // of opListen, opUnlisten
	sweep    *sweep    // of opSweep
}

type op uint8

const (
	opWake     op = iota // resume pending PDUs
	opDecide             // take a decision on one connection
	opListen             // accept from a new listening socket
	opUnlisten           // close a listening socket
	opSweep              // go through the connections
	opStop               // close all listening sockets; end when the last connection has
	opKill               // close all connections
)

// mailbox takes messages from any goroutine. Its eventfd wakes the loop's epoll. It is
// armed edge-triggered, so it need not be read: its counter takes centuries to
// overflow.
//
// It is bounded: a connection has one wake and maxDecisions decisions in it at
// most, and the rest are calls of an administrator and results of health checks,
// at their own pace.
type mailbox struct {
	mu       sync.Mutex
	closed   bool
	fd       int
	messages []message
	taken    []message // the slice that take returned last, to be reused
}

func newMailbox() (*mailbox, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	return &mailbox{fd: fd}, nil
}

// post adds a message. It never blocks, and returns false when the loop has ended.
func (m *mailbox) post(msg message) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.messages = append(m.messages, msg)
	if len(m.messages) == 1 {
		one := uint64(1)
		_, _, _ = syscall.RawSyscall(unix.SYS_WRITE, uintptr(m.fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
	}
	return true
}

// take returns the messages; they are valid until the next call.
func (m *mailbox) take() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.taken)
	m.taken, m.messages = m.messages, m.taken[:0]
	return m.taken
}

// close returns the messages that were never taken.
func (m *mailbox) close() []message {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	_ = unix.Close(m.fd)
	return m.messages
}
