package db

import "syscall"

// limitUnacknowledged sets TCP_USER_TIMEOUT to 5 s. Without it a connection
// whose other end vanished keeps sending for some 15 minutes.
func limitUnacknowledged(network, _ string, c syscall.RawConn) error {
	if network == "unix" {
		return nil
	}
	const userTimeout = 0x12 // linux/tcp.h
	var err error
	if e := c.Control(func(fd uintptr) { err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, userTimeout, 5000) }); e != nil {
		return e
	}
	return err
}
