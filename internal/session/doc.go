// Package session says who is calling.
//
// An access token is sealed (SM4-GCM, the session key ring), lives 15 minutes
// and is opened from memory: it carries all that showing a code and scanning
// one need, so that both go on without the database. A refresh token carries a
// session, a counter and a keyed hash; using it moves the counter on. The token
// before gives the same successor for 60 s while that one is unused, because
// phones lose answers; any other reuse ends the session.
//
// Ended sessions reach every node through the change feed within 2 s. While a
// node can't reach the database, tokens up to 2 h past their expiry are taken
// for showing and verifying only.
//
// How a person proves who they are is not this package's business: Start is
// called by whoever has proven it. Tables: session, verifier_grant.
package session
