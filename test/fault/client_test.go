package fault

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// wire keeps connections open for as many workers as a test has.
var wire = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}}

// client is an app that is signed in.
type client struct {
	t     *testing.T
	url   string
	token string
}

// answer is what came back: status 0 when nothing did.
type answer struct {
	status int
	header http.Header
	raw    []byte
	err    error
}

func (a answer) String() string {
	if a.err != nil {
		return a.err.Error()
	}
	return fmt.Sprintf("%d %s", a.status, a.raw)
}

func (a answer) into(v any) error { return json.Unmarshal(a.raw, v) }

// call makes one request. It asks again only when told that it asks too often.
func (c *client) call(ctx context.Context, method, path string, body any, header ...string) answer {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return answer{err: err}
		}
	}
	for {
		r, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(text))
		if err != nil {
			return answer{err: err}
		}
		if body != nil {
			r.Header.Set("Content-Type", "application/json")
		}
		if c.token != "" {
			r.Header.Set("Authorization", "Bearer "+c.token)
		}
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		// Without GetBody the transport can't send a request twice by itself
		// when a connection breaks.
		r.GetBody = nil
		resp, err := wire.Do(r)
		if err != nil {
			return answer{err: err}
		}
		raw, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return answer{err: err}
		}
		if wait, err := strconv.Atoi(resp.Header.Get("Retry-After")); resp.StatusCode == http.StatusTooManyRequests && err == nil {
			select {
			case <-time.After(time.Duration(wait) * time.Second):
				continue
			case <-ctx.Done():
				return answer{err: ctx.Err()}
			}
		}
		return answer{status: resp.StatusCode, header: resp.Header, raw: raw}
	}
}

// must is call for a request that is answered with the status.
func (c *client) must(status int, method, path string, body, into any, header ...string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	a := c.call(ctx, method, path, body, header...)
	if a.status != status {
		c.t.Fatalf("%s %s: %s", method, path, a)
	}
	if into != nil {
		if err := a.into(into); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, a)
		}
	}
}

// signIn signs in as a persona of the demo.
func (p *process) signIn(persona string) *client {
	p.t.Helper()
	c := &client{t: p.t, url: p.url}
	var tokens struct {
		Access string `json:"access_token"`
	}
	c.must(http.StatusCreated, http.MethodPost, "/v1/demo/sessions", map[string]any{"persona": persona}, &tokens)
	c.token = tokens.Access
	return c
}

// on is the same app talking to another process.
func (c *client) on(p *process) *client { return &client{t: p.t, url: p.url, token: c.token} }

// show mints a code.
func (c *client) show() string {
	c.t.Helper()
	var shown struct {
		Code struct {
			Text string `json:"text"`
		} `json:"code"`
	}
	c.must(http.StatusCreated, http.MethodPost, "/v1/codes", map[string]any{}, &shown)
	return shown.Code.Text
}

// verification is what a verifier is told.
type verification struct {
	ID         string `json:"id"`
	Outcome    string `json:"outcome"`
	Admission  string `json:"admission"`
	Durability string `json:"durability"`
	Repeated   bool   `json:"repeated"`
	Status     struct {
		Color string `json:"color"`
	} `json:"status"`
	Subject struct {
		Name string `json:"name"`
	} `json:"subject"`
}

func scanOf(text string) map[string]any {
	return map[string]any{"text": text, "scene": "venue-entry", "method": "camera"}
}

// scan verifies a text.
func (c *client) scan(text string, header ...string) (v verification) {
	c.t.Helper()
	c.must(http.StatusOK, http.MethodPost, "/v1/verifications", scanOf(text), &v, header...)
	return v
}

// color is the signed-in person's own status.
func (c *client) color() string {
	c.t.Helper()
	var s struct {
		Color string `json:"color"`
	}
	c.must(http.StatusOK, http.MethodGet, "/v1/me/status", nil, &s)
	return s.Color
}
