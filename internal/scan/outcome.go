package scan

// Outcome says what became of a scanned text.
type Outcome string

// The outcomes for live codes, in the order in which they are decided: the
// first that applies wins.
const (
	Malformed       Outcome = "malformed"
	UnknownKey      Outcome = "unknown_key"
	Forged          Outcome = "forged"
	NotYetValid     Outcome = "not_yet_valid"
	Expired         Outcome = "expired"
	RelationEnded   Outcome = "relation_ended"
	HolderSuspended Outcome = "holder_suspended"
	NotForScene     Outcome = "not_for_scene"
	AlreadyUsed     Outcome = "already_used"
	Unconfirmed     Outcome = "unconfirmed"
	Valid           Outcome = "valid"
)

// NotValid is what ordinary verifiers are told instead of RelationEnded and
// HolderSuspended: why someone's code stopped is not for the gate to know.
const NotValid Outcome = "not_valid"

// ForVerifier returns the outcome as an ordinary verifier is told it.
func (o Outcome) ForVerifier() Outcome {
	if o == RelationEnded || o == HolderSuspended {
		return NotValid
	}
	return o
}

// Outcomes lists every outcome that can be recorded or told, for filters and docs.
func Outcomes() []Outcome {
	return []Outcome{Malformed, UnknownKey, Forged, NotYetValid, Expired, RelationEnded, HolderSuspended, NotForScene, AlreadyUsed, Unconfirmed, Valid}
}
