package enum

// DeliveryKind is what kind of request a chat sent.
type DeliveryKind string

// The kinds of requests.
const (
	SlashCommand DeliveryKind = "command"
	Interaction  DeliveryKind = "interaction"
	ChatEvent    DeliveryKind = "event"
)

// Verdict is what was decided of a request of a chat.
type Verdict string

// The verdicts.
const (
	Taken        Verdict = "taken"
	Repeated     Verdict = "repeated"      // it came before
	WrongToken   Verdict = "wrong_token"   // the command's token is another one
	BadSignature Verdict = "bad_signature" // it is signed with another secret, or not at all
	Stale        Verdict = "stale"         // its signature is too old, or from the future
	UnknownUser  Verdict = "unknown_user"  // the chat user is not linked
	Refused      Verdict = "refused"       // for a reason that is told
	Ignored      Verdict = "ignored"       // it asks for nothing
)

// PostKind is what was sent to a chat.
type PostKind string

// The kinds of what is sent.
const (
	PostAnswer  PostKind = "acknowledgement"
	PostMessage PostKind = "message"
	PostEdit    PostKind = "edit"
	PostWhisper PostKind = "whisper"
	PostFile    PostKind = "file"
)

// PostOutcome is how a try to send something ended.
type PostOutcome string

// The outcomes.
const (
	PostDelivered PostOutcome = "delivered"
	PostDelayed   PostOutcome = "delayed" // it is tried again
	PostRefused   PostOutcome = "refused"
)
