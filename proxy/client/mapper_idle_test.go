package client

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/nspiproxy/nspiproxy/internal/testkit/simdc"
	"github.com/nspiproxy/nspiproxy/rpcparse/nspi"
)

func TestIdleConnectionIsAskedAgain(t *testing.T) {
	dc := startDC(t, simdc.Config{})
	c := dialMapper(t, dc.EPMAddr())
	for range 3 {
		if err := c.Idle(testContext(t), time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Map(testContext(t), nspi.Interface); err != nil {
			t.Fatal(err)
		}
	}
}

// An hour is longer than any test waits: the end alone can end it.
func TestEndOfAnIdleConnectionIsNoticedAtOnce(t *testing.T) {
	for name, end := range map[string]func(*simdc.Server){"closed": (*simdc.Server).Close, "reset": (*simdc.Server).Kill} {
		t.Run(name, func(t *testing.T) {
			dc := startDC(t, simdc.Config{})
			c := dialMapper(t, dc.EPMAddr())
			time.AfterFunc(5*time.Millisecond, func() { end(dc) })
			if err := c.Idle(testContext(t), time.Hour); err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
			if _, err := c.Map(testContext(t), nspi.Interface); !errors.Is(err, ErrClosed) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

func TestServerThatSpeaksUnaskedLosesTheConnection(t *testing.T) {
	addr := fakeServer(t, func(c *fakeConn) {
		if c.bind() {
			c.send(wholePDU(2, encode(mapAnswer(1))))
			c.wait()
		}
	})
	c := dialMapper(t, addr)
	if err := c.Idle(testContext(t), time.Hour); !errors.Is(err, ErrProtocol) {
		t.Error(err)
	}
}

func TestWaitingEndsWithTheContextAndWithClose(t *testing.T) {
	dc := startDC(t, simdc.Config{})
	c := dialMapper(t, dc.EPMAddr())
	ctx, cancel := context.WithCancelCause(testContext(t))
	why := errors.New("enough")
	time.AfterFunc(5*time.Millisecond, func() { cancel(why) })
	if err := c.Idle(ctx, time.Hour); !errors.Is(err, why) {
		t.Error(err)
	}

	c = dialMapper(t, dc.EPMAddr())
	time.AfterFunc(5*time.Millisecond, c.Close)
	if err := c.Idle(testContext(t), time.Hour); err == nil || errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
