package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/limit"
	"github.com/citycode/citycode/internal/mint"
	"github.com/citycode/citycode/internal/person"
	"github.com/citycode/citycode/internal/scan"
	"github.com/citycode/citycode/internal/scene"
	"github.com/citycode/citycode/internal/session"
	"github.com/citycode/citycode/internal/status"
	"github.com/citycode/citycode/internal/verify"
)

// Config is the capabilities that the interface opens to the outside.
type Config struct {
	Version  string
	City     City
	Scenes   scene.Book
	Sessions *session.Store
	People   *person.Store
	Status   *status.Store
	Minter   *mint.Minter
	Desk     *verify.Desk
	Scans    *scan.Log
	Demo     *Demo // nil outside demo mode: its routes are then absent
	Now      func() time.Time
	Zone     *time.Location
	Log      *slog.Logger
	// Outage reports whether this node can't reach its database: tokens past
	// their expiry are then taken for showing and verifying.
	Outage func() bool
	// Ready reports what keeps the node from its work; see health.go.
	Ready func() Readiness
	// RateFactor multiplies every rate (demo: 100).
	RateFactor int
	// Count, when set, is told of each answer: for metrics.
	Count Counter
}

// City is what pages say about where they are.
type City struct {
	Name    map[string]string // by language
	Hotline string
	Zone    string
	Demo    bool
	SignIn  []string // how people sign in: "demo"; empty before sign-in exists
}

// Counter is told what happened, for metrics.
type Counter interface {
	Minted()
	Verified(outcome string, admission string)
	RateLimited(class string)
	Shed(class string)
}

// API holds the handlers.
type API struct {
	cfg   Config
	huma  huma.API
	mux   *http.ServeMux
	rates map[class]*limit.Rate
	addrs map[class]*limit.Rate
	gates map[class]*limit.Gate
	done  chan struct{} // closed when the server drains: event streams end
}

// class groups operations that share rates and places. Showing and verifying
// outrank the rest: each class has its own places, so that a flood of one
// leaves the others theirs.
type class string

const (
	classShow    class = "show"
	classVerify  class = "verify"
	classRefresh class = "refresh" // apart: without it, showing and verifying end after 15 minutes
	classOther   class = "other"
)

// The base rates a minute and caller. Addresses without a valid token share the
// same numbers tenfold: a venue or a carrier puts many phones behind one.
var baseRates = map[class]int{classShow: 30, classVerify: 120, classRefresh: 60, classOther: 60}

const addressFactor = 10

// New registers every operation. Handler serves them.
func New(cfg Config) *API {
	humaErrors()
	a := &API{cfg: cfg, mux: http.NewServeMux(), rates: map[class]*limit.Rate{}, addrs: map[class]*limit.Rate{}, gates: map[class]*limit.Gate{}, done: make(chan struct{})}
	factor := max(1, cfg.RateFactor)
	for c, perMinute := range baseRates {
		a.rates[c] = limit.NewRate(perMinute*factor, cfg.Now)
		a.addrs[c] = limit.NewRate(perMinute*factor*addressFactor, cfg.Now)
	}
	// Verify waits for the disk, so that its places are what the committer can
	// hold in a few batches; showing never waits.
	a.gates[classShow] = limit.NewGate(512, 1024, 500*time.Millisecond)
	a.gates[classVerify] = limit.NewGate(2048, 2048, 2*time.Second)
	a.gates[classRefresh] = limit.NewGate(256, 1024, 2*time.Second)
	a.gates[classOther] = limit.NewGate(256, 256, 500*time.Millisecond)

	hc := huma.DefaultConfig("citycode", cfg.Version)
	hc.Info.Description = "One code for a person, everywhere in the city: show it, check it, see the least that serves."
	hc.DocsPath, hc.OpenAPIPath, hc.SchemasPath = "", "", ""
	hc.CreateHooks = nil // no $schema member in answers
	hc.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"session": {Type: "http", Scheme: "bearer"}}
	a.huma = humago.New(a.mux, hc)

	a.registerCity()
	a.registerSessions()
	a.registerCodes()
	a.registerMe()
	a.registerVerifications()
	if cfg.Demo != nil {
		a.registerDemo()
	}
	a.openAnswers()
	return a
}

// openAnswers lets answers grow: only requests are closed to members that the
// document doesn't name. Clients ignore what they don't know.
func (a *API) openAnswers() {
	doc := a.huma.OpenAPI()
	request := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Post, item.Put, item.Patch} {
			if op != nil && op.RequestBody != nil {
				request[op.RequestBody.Content["application/json"].Schema.Ref] = true
			}
		}
	}
	for name, schema := range doc.Components.Schemas.Map() {
		if schema.Type == huma.TypeObject && !request["#/components/schemas/"+name] {
			if closed, ok := schema.AdditionalProperties.(bool); ok && !closed {
				schema.AdditionalProperties = nil
			}
		}
	}
}

// OpenAPI returns the document of the interface.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

// Drain ends event streams, so that a stopping server need not wait for pages
// that stay open for hours.
func (a *API) Drain() { close(a.done) }

// caller says who may call an operation.
type caller string

const (
	anyone   caller = "anyone"
	signedIn caller = "signed-in"
	resident caller = "resident"
	verifier caller = "verifier"
)

type route struct {
	method, path, id, summary string
	caller                    caller
	class                     class
	status                    int           // of success; 0 is 200
	timeout                   time.Duration // 0 is 5 s
	ownRate                   bool          // counts its callers, and takes its place, once it has read the body
	stream                    bool          // stays open: holds no place of its class
	outage                    bool          // goes on with a late token while the database is away
	errors                    []int         // documented beside the usual ones
}

// timeoutDefault bounds what a handler may take: longer than any database
// deadline below it, shorter than a person waits.
const timeoutDefault = 5 * time.Second

const maxBody = 64 << 10

func register[I, O any](a *API, r route, h func(context.Context, *Call, *I) (*O, error)) {
	op := huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary,
		DefaultStatus: r.status, MaxBodyBytes: maxBody, BodyReadTimeout: 5 * time.Second,
		Tags:        []string{strings.SplitN(strings.TrimPrefix(r.path, "/v1/"), "/", 2)[0]},
		Extensions:  map[string]any{"x-caller": string(r.caller)},
		Errors:      []int{http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusServiceUnavailable},
		Middlewares: huma.Middlewares{a.gatekeeper(r)},
	}
	if r.caller != anyone {
		op.Security = []map[string][]string{{"session": {}}}
		op.Errors = append(op.Errors, http.StatusUnauthorized, http.StatusForbidden)
	}
	op.Errors = append(op.Errors, r.errors...)
	timeout := r.timeout
	if timeout == 0 {
		timeout = timeoutDefault
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		out, err := h(ctx, callOf(ctx), in)
		if err != nil {
			p, after := a.problemOf(ctx, err)
			if after > 0 {
				return nil, huma.ErrorWithHeaders(p, retryHeader(after))
			}
			return nil, p
		}
		return out, nil
	})
}

// gatekeeper settles who calls, whether they may, how often, and whether there
// is room, before a byte of the body is read.
func (a *API) gatekeeper(r route) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		c := callOf(hc.Context())
		c.Operation = r.id
		if err := a.admit(hc.Context(), c, hc.Header("Authorization"), r); err != nil {
			a.refuse(hc, err)
			return
		}
		if r.stream || r.ownRate {
			next(hc)
			return
		}
		leave, err := a.enter(hc.Context(), r.class)
		if err != nil {
			a.refuse(hc, err)
			return
		}
		defer leave()
		next(hc)
	}
}

// enter takes a place of the class; leave gives it back.
func (a *API) enter(ctx context.Context, cl class) (leave func(), err error) {
	gate := a.gates[cl]
	if err := gate.Enter(ctx); err != nil {
		if a.cfg.Count != nil {
			a.cfg.Count.Shed(string(cl))
		}
		return nil, err
	}
	return gate.Leave, nil
}

func (a *API) admit(ctx context.Context, c *Call, header string, r route) error {
	var tokenErr error
	if scheme, token, _ := strings.Cut(header, " "); strings.EqualFold(scheme, "Bearer") {
		c.By, tokenErr = a.cfg.Sessions.Open(strings.TrimSpace(token), r.outage && a.cfg.Outage())
	} else if header != "" {
		tokenErr = fault.New(fault.Unauthenticated, "token_invalid", "only Bearer tokens are taken")
	}
	if !r.ownRate {
		if err := a.withinRate(c, r.class); err != nil {
			return err
		}
	}
	if r.caller == anyone {
		c.By = nil // open operations know nobody
		return nil
	}
	if tokenErr != nil {
		return tokenErr
	}
	if c.By == nil {
		return fault.New(fault.Unauthenticated, "not_signed_in", "send Authorization: Bearer and an access token")
	}
	if err := a.inGoodStanding(ctx, c.By); err != nil {
		return err
	}
	now := a.cfg.Now()
	if (r.caller == resident && !c.By.Is(session.Resident, now)) || (r.caller == verifier && !c.By.Is(session.Verifier, now)) {
		return fault.New(fault.Denied, "not_allowed", "%s only", string(r.caller))
	}
	return nil
}

// inGoodStanding asks memory, which suspensions reach within 2 s. A node that
// can't tell (a person imported a moment ago, no database) leaves it to the
// operation.
func (a *API) inGoodStanding(ctx context.Context, p *session.Principal) error {
	if st, known, err := a.cfg.Status.Current(ctx, p.Person); err == nil && (!known || st.Suspended || st.Deceased) {
		return fault.New(fault.Denied, "suspended", "the person is suspended")
	}
	return nil
}

// withinRate counts a caller with a valid token by the person, everyone else by
// address: a flood of bad tokens from a carrier's address locks out no good one.
func (a *API) withinRate(c *Call, cl class) error {
	if c.By != nil {
		return a.counted(cl, a.rates, person.FormatID(c.By.Person))
	}
	return a.counted(cl, a.addrs, addressKey(c.Address))
}

func (a *API) counted(cl class, rates map[class]*limit.Rate, key string) error {
	ok, wait := rates[cl].Allow(key)
	if ok {
		return nil
	}
	if a.cfg.Count != nil {
		a.cfg.Count.RateLimited(string(cl))
	}
	return busy(wait)
}

// addressKey counts IPv6 by /64, the smallest block that one household gets.
func addressKey(addr netip.Addr) string {
	if addr.Is6() && !addr.Is4In6() {
		if p, err := addr.Prefix(64); err == nil {
			return p.String()
		}
	}
	return addr.Unmap().String()
}

func (a *API) refuse(hc huma.Context, err error) {
	p, after := a.problemOf(hc.Context(), err)
	_, w := humago.Unwrap(hc)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="citycode"`)
	}
	writeProblem(w, p, after)
}
