//go:build !linux

package halfopen

import "syscall"

func control(Connection) func(network, address string, raw syscall.RawConn) error { return nil }

func isRefused(error) bool { return false }

func isInUse(error) bool { return false }
