package fault

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/citycode/citycode/internal/db"
)

// held is a request that the server has begun to handle and whose body it waits
// for.
type held struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	body []byte
}

// hold sends a scan's headers and waits for the server's "100 Continue", which
// it says when the handler begins to read.
func hold(t *testing.T, c *client, text string) *held {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	h := &held{t: t, conn: conn, in: bufio.NewReader(conn)}
	if h.body, err = json.Marshal(scanOf(text)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST /v1/verifications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		c.token, len(h.body))
	resp, err := http.ReadResponse(h.in, nil)
	if err != nil || resp.StatusCode != http.StatusContinue {
		t.Fatalf("before the body: %v %v", resp, err)
	}
	return h
}

// finish sends the body and reads the answer.
func (h *held) finish() (v verification) {
	h.t.Helper()
	if _, err := h.conn.Write(h.body); err != nil {
		h.t.Fatal(err)
	}
	resp, err := http.ReadResponse(h.in, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		h.t.Fatalf("%d %s %v", resp.StatusCode, raw, err)
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		h.t.Fatal(err)
	}
	return v
}

func TestAServerThatIsToldToStopAnswersWhatItHasBegun(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := serving(t, p.demo("--people", "5")...)
		verifier := s.signIn("verifier")
		text := s.signIn("resident-green").show()
		var begun []*held
		for range 6 {
			begun = append(begun, hold(t, verifier, text))
		}
		silent := hold(t, verifier, text) // never sends its body
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/me/status/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+verifier.token)
		page, err := wire.Do(request)
		if err != nil || page.StatusCode != http.StatusOK {
			t.Fatalf("events: %v %v", page, err)
		}
		defer page.Body.Close()

		s.signal(syscall.SIGTERM)
		s.said("msg=draining")
		var ids []string
		for _, h := range begun {
			v := h.finish()
			if v.Outcome != "valid" || v.Durability != "committed" {
				t.Errorf("%+v", v)
			}
			ids = append(ids, v.ID)
		}
		if code := s.wait(); code != 0 {
			t.Errorf("exit status %d", code)
		}
		if _, err := io.ReadAll(page.Body); err != nil {
			t.Errorf("an open page's events end with %v", err)
		}
		if _, err := io.ReadAll(silent.in); err != nil {
			t.Logf("the silent connection ends with %v", err)
		}

		// Nothing is left for the next start: the chain is closed, signed to its
		// end, the node signed off.
		var report struct{ Unsigned, Checkpoints, Rows int }
		r := succeed(t, append(p.at("audit", "verify"), "--json")...)
		if err := json.Unmarshal([]byte(r.out), &report); err != nil {
			t.Fatal(err, r)
		}
		if report.Unsigned != 0 || report.Checkpoints < 2 {
			t.Errorf("%+v", report)
		}
		d := p.open(t).Main
		var open, closed, scans int64
		ask(t, d, "select count(*) from node where ended_at is null", &open)
		ask(t, d, "select count(*) from audit_entry e where kind = 'close' and seq = (select max(seq) from audit_entry m where m.chain = e.chain)", &closed)
		ask(t, d, "select count(*) from scan", &scans)
		if open != 0 || closed != 1 || int(scans) != report.Rows {
			t.Errorf("%d nodes not signed off, %d chains closed, %d scans", open, closed, scans)
		}
		s = serving(t, p.demo("--people", "5")...)
		again := s.signIn("verifier")
		for _, id := range ids {
			again.must(http.StatusOK, http.MethodGet, "/v1/verifications/"+id, nil, nil)
		}
		s.stop()
	})
}

// certify writes a certificate and its key as an ACME client does: each file
// appears whole.
func certify(t *testing.T, dir string, serial int64, certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "localhost"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certificate: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if name == "" {
			continue
		}
		var text bytes.Buffer
		if err := pem.Encode(&text, block); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "new"), text.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCertificatesReplacedWhileRunningAreUsed(t *testing.T) {
	t.Parallel()
	p, dir := empty(t, db.SQLite), t.TempDir()
	certify(t, dir, 1, "cert.pem", "key.pem")
	s := launch(t, p.serve("--tls-cert", filepath.Join(dir, "cert.pem"), "--tls-key", filepath.Join(dir, "key.pem"))...)
	s.listening()
	address := strings.TrimPrefix(s.url, "http://")
	shown := func() int64 {
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if n := shown(); n != 1 {
		t.Errorf("certificate %d", n)
	}
	certify(t, dir, 2, "cert.pem", "key.pem")
	until(t, "the second certificate", func() bool { return shown() == 2 })
	// Half a pair: the earlier one stays in use, and the log says so.
	certify(t, dir, 3, "cert.pem", "")
	until(t, "the mismatch noticed", func() bool {
		if n := shown(); n != 2 {
			t.Fatalf("certificate %d", n)
		}
		return strings.Contains(s.log.String(), "the earlier ones stay in use")
	})
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	if n := shown(); n != 2 {
		t.Errorf("certificate %d without a key file", n)
	}
	certify(t, dir, 4, "cert.pem", "key.pem")
	until(t, "the fourth certificate", func() bool { return shown() == 4 })
	s.stop()
	refuse(t, "TLS", p.serve("--tls-cert", filepath.Join(dir, "cert.pem"), "--tls-key", filepath.Join(dir, "none.pem"))...)
}
