package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"rsc.io/qr"

	"github.com/citycode/citycode/internal/api"
	"github.com/citycode/citycode/internal/demo"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/server"
	"github.com/citycode/citycode/internal/session"
	"github.com/citycode/citycode/web"
)

// cityFlags describe the city.
type cityFlags struct {
	CityName   string `help:"The city's name in Chinese." default:"示例市" placeholder:"NAME"`
	CityNameEn string `help:"The city's name in English." default:"Sample City" placeholder:"NAME"`
	Hotline    string `help:"Number that people call with questions." default:"12345"`
	Scenes     string `help:"YAML file of scenes instead of the shipped ones." type:"path" placeholder:"FILE"`
}

func (c cityFlags) scenes() (*scene.Book, error) {
	if c.Scenes == "" {
		return nil, nil
	}
	f, err := os.Open(c.Scenes)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := scene.Parse(f)
	return &b, err
}

func (c cityFlags) city(zone string) api.City {
	return api.City{Name: map[string]string{"zh-CN": c.CityName, "en": c.CityNameEn}, Hotline: c.Hotline, Zone: zone}
}

func pages() fs.FS {
	if web.Built() {
		return web.FS()
	}
	return nil
}

type serveCmd struct {
	dataFlags
	cityFlags
	Listen        string        `help:"Address to listen on." default:"127.0.0.1:8080"`
	TLSCert       string        `help:"Certificate file; read again when it changes." type:"path" placeholder:"FILE"`
	TLSKey        string        `help:"The certificate's key file." type:"path" placeholder:"FILE"`
	PublicURL     string        `help:"How people reach this server, such as https://code.example.org." placeholder:"URL"`
	TrustedProxy  []string      `help:"Addresses of proxies whose X-Forwarded-For is believed." placeholder:"CIDR"`
	MetricsListen string        `help:"Address of a listener for /metrics alone." placeholder:"HOST:PORT"`
	DrainDelay    time.Duration `help:"At the end, how long to answer on after /readyz has begun to say 503, for balancers to notice." default:"0s"`
	NodeName      string        `help:"Name of this node in metrics and in its files (default: host name)." placeholder:"NAME"`
}

func (s serveCmd) Run(r *run) error {
	cc, err := s.core(r, nil)
	if err != nil {
		return err
	}
	cc.NodeName, cc.Check = s.NodeName, demo.RefuseMarked
	cfg, err := s.config(r)
	if err != nil {
		return err
	}
	core, err := server.Open(r.ctx, cc)
	if err != nil {
		return err
	}
	return serve(r, core, cfg)
}

func (s serveCmd) config(r *run) (server.Config, error) {
	cfg := server.Config{
		Version: versionText(), Listen: s.Listen, TLSCert: s.TLSCert, TLSKey: s.TLSKey, MetricsListen: s.MetricsListen, DrainDelay: s.DrainDelay,
		City: s.city(s.Zone), Pages: pages(), Log: r.log,
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		return cfg, misused("--tls-cert and --tls-key go together")
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.Path != "" && u.Path != "/" {
			return cfg, misused("--public-url: %q is not an address like https://code.example.org", s.PublicURL)
		}
		cfg.PublicURL = u
	}
	for _, p := range s.TrustedProxy {
		prefix, err := netip.ParsePrefix(p)
		if err != nil {
			addr, aerr := netip.ParseAddr(p)
			if aerr != nil {
				return cfg, misused("--trusted-proxy: %q is no address range like 10.0.0.0/8", p)
			}
			prefix = netip.PrefixFrom(addr, addr.BitLen())
		}
		cfg.TrustedProxies = append(cfg.TrustedProxies, prefix.Masked())
	}
	var err error
	if cfg.Scenes, err = s.scenes(); err != nil {
		return cfg, err
	}
	cfg.Listening = func(a net.Addr) { r.log.Info("listening", "address", a.String(), "version", cfg.Version) }
	return cfg, nil
}

// serve makes the server around the core and runs it. On an error before Run
// the core is closed here.
func serve(r *run, core *server.Core, cfg server.Config) error {
	s, err := server.New(r.ctx, core, cfg)
	if err != nil {
		closing(core, &err)
		return err
	}
	return s.Run(r.ctx)
}

type demoCmd struct {
	Data     string     `help:"Folder to keep the demo in (default: a temporary one, removed at the end)." type:"path" placeholder:"DIR"`
	Database string     `help:"postgres://… instead of the embedded database; needs --data for the key file." placeholder:"URL"`
	KeyFile  string     `help:"Key file (default: citycode.key in the data folder)." type:"path" placeholder:"FILE"`
	Listen   string     `help:"Address to listen on (default 127.0.0.1:8080, with --lan 0.0.0.0:8443)." placeholder:"HOST:PORT"`
	LAN      bool       `name:"lan" help:"Let phones on this network try it: HTTPS with a certificate made for the occasion, and a QR code to open it."`
	People   int        `help:"How many residents to invent." default:"10000"`
	Clock    clockShift `help:"Shift the server's clock, such as +181d or -2h." placeholder:"+DURATION"`
	cityFlags
}

func (d demoCmd) Run(r *run) (err error) {
	folder := d.Data
	switch {
	case folder == "" && d.Database != "":
		return misused("--database needs --data DIR: the key file stays there, and without it the database can't be read again")
	case folder == "":
		if folder, err = os.MkdirTemp("", "citycode-demo-"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	}
	if d.People < 0 || d.People > 1_000_000 {
		return misused("--people: 0 to 1,000,000")
	}
	listen := d.Listen
	if listen == "" {
		listen = "127.0.0.1:8080"
		if d.LAN {
			listen = "0.0.0.0:8443"
		}
	}
	if host, _, err := net.SplitHostPort(listen); err != nil {
		return misused("--listen: %v", err)
	} else if ip := net.ParseIP(host); !d.LAN && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return misused("the demo listens on the loopback only; --lan opens it to this network")
	}
	flags := dataFlags{Data: folder, Database: d.Database, KeyFile: d.KeyFile, Zone: "Asia/Shanghai"}
	cc, err := flags.core(r, d.Clock.now())
	if err != nil {
		return err
	}
	cc.Check, cc.AllowSample = demo.Mark, true
	scenes, err := d.scenes()
	if err != nil {
		return err
	}
	core, err := server.Open(r.ctx, cc)
	if err != nil {
		return err
	}
	cfg := server.Config{
		Version: versionText(), Listen: listen, City: d.city("Asia/Shanghai"), Scenes: scenes, RateFactor: 100,
		MetricsHere: true, Pages: pages(), Log: r.log,
	}
	cfg.City.Demo, cfg.City.SignIn = true, []string{"demo"}
	if d.LAN {
		if cfg.Certificate, err = server.SelfSigned(ownAddresses(), time.Now()); err != nil {
			closing(core, &err)
			return err
		}
	}
	people := &demo.City{DB: core.DB, People: core.People, Status: core.Status, Node: core.Node, Now: cc.Now, N: d.People}
	if people.Now == nil {
		people.Now = time.Now
	}
	cfg.Demo = func(s *session.Store, _ *scan.Log) *api.Demo { return people.Interface(s) }
	cfg.Prepare = func(ctx context.Context, s *session.Store, l *scan.Log) error {
		start := time.Now()
		if err := people.Seed(ctx, s, l); err != nil {
			return fmt.Errorf("inventing people: %w", err)
		}
		r.log.Info("people invented", "seconds", time.Since(start).Seconds())
		return nil
	}
	cfg.Listening = func(a net.Addr) { d.welcome(r, a) }
	return serve(r, core, cfg)
}

// welcome says where to go; with --lan also as a QR code for phones.
func (d demoCmd) welcome(r *run, a net.Addr) {
	if !d.LAN {
		fmt.Fprintf(r.notes, "\n  citycode demo: http://%s  (invented people; Ctrl-C ends it)\n\n", a)
		return
	}
	_, port, _ := net.SplitHostPort(a.String())
	for _, ip := range ownAddresses() {
		if ip.IsLoopback() || ip.To4() == nil {
			continue
		}
		address := "https://" + net.JoinHostPort(ip.String(), port)
		fmt.Fprintf(r.notes, "\n  citycode demo: %s\n  Everyone on this network can open it. The certificate is made for the occasion:\n  let the browser continue when it warns.\n\n", address)
		if code, err := qr.Encode(strings.ToUpper(address), qr.M); err == nil {
			fmt.Fprintln(r.notes, blocks(code))
		}
		return
	}
	fmt.Fprintf(r.notes, "\n  citycode demo: https://%s (no network address found for phones)\n\n", a)
}

// blocks draws a QR code with two modules a character.
func blocks(c *qr.Code) string {
	const quiet = 4
	var b strings.Builder
	for y := -quiet; y < c.Size+quiet; y += 2 {
		b.WriteString("  ")
		for x := -quiet; x < c.Size+quiet; x++ {
			switch top, low := c.Black(x, y), c.Black(x, y+1); {
			case top && low:
				b.WriteRune(' ')
			case top:
				b.WriteRune('▄')
			case low:
				b.WriteRune('▀')
			default:
				b.WriteRune('█')
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func ownAddresses() []net.IP {
	out := []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return out
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			out = append(out, n.IP)
		}
	}
	return out
}

// clockShift is a duration that knows days.
type clockShift time.Duration

// UnmarshalText reads +181d, -2h, 90s.
func (c *clockShift) UnmarshalText(text []byte) error {
	s := strings.TrimPrefix(string(text), "+")
	days, isDays := strings.CutSuffix(s, "d")
	if !isDays {
		d, err := time.ParseDuration(s)
		*c = clockShift(d)
		return err
	}
	d, err := time.ParseDuration(days + "h")
	if err == nil && d != 24*d/24 {
		err = fmt.Errorf("%s is over 292 years", text)
	}
	*c = clockShift(24 * d)
	return err
}

func (c clockShift) now() func() time.Time {
	if c == 0 {
		return nil
	}
	return func() time.Time { return time.Now().Add(time.Duration(c)) }
}
