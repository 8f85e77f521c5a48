// Package verify answers the question of the gate: is this code good, may its
// holder in, and what may the checker see.
//
// Decide turns text into a decision from memory: the key rings and the status
// table. It promises the order of the outcomes, that nothing but a valid code
// names a subject or a status, and that every text, however hostile, gets an
// outcome instead of an error. Desk.Check adds what a decision needs to become
// an answer: the checker's grant is looked at first, the scan is recorded and
// durable before the answer exists, and the subject holds what the scene
// discloses and nothing else.
//
// The package owns no tables.
package verify
