package api

import (
	"context"
	"net/netip"

	"github.com/citycode/citycode/internal/session"
)

// Call is what is known of a request before its body is read.
type Call struct {
	RequestID string
	Operation string
	Lang      string
	Address   netip.Addr
	By        *session.Principal // nil: nobody signed in
}

type callKey struct{}

var noCall = Call{Lang: zhCN}

// callOf returns the request's call; code that runs outside one gets a blank.
func callOf(ctx context.Context) *Call {
	if c, ok := ctx.Value(callKey{}).(*Call); ok {
		return c
	}
	return &noCall
}

// WithCall is for the server's outer middleware, which makes the Call.
func WithCall(ctx context.Context, c *Call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}
