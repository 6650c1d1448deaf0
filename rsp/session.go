package rsp

import "bytes"

// ExtendedMode is "!": keep the server when the program ends, and allow R.
type ExtendedMode struct{}

var theExtendedMode = &ExtendedMode{}

// Packet returns PacketExtendedMode.
func (*ExtendedMode) Packet() PacketName { return PacketExtendedMode }

// StartNoAckMode is QStartNoAckMode: send no more '+' and '-' after the
// reply ("Packet Acknowledgment"). The server calls Conn.SetNoAck once it
// has sent OK.
type StartNoAckMode struct{}

var theStartNoAckMode = &StartNoAckMode{}

// Packet returns PacketStartNoAckMode.
func (*StartNoAckMode) Packet() PacketName { return PacketStartNoAckMode }

// NonStop is QNonStop: change to non-stop mode, or to all-stop.
type NonStop struct{ Enable bool }

// Packet returns PacketNonStop.
func (*NonStop) Packet() PacketName { return PacketNonStop }

// StopAcknowledgment is vStopped: the client has taken in the notification
// "Stop", or the answer to the last vStopped. The answer is the next stop reply,
// or OK if there is none ("Notification Packets").
type StopAcknowledgment struct{}

var theStopAcknowledgment = &StopAcknowledgment{}

// Packet returns PacketStopAcknowledgment.
func (*StopAcknowledgment) Packet() PacketName { return PacketStopAcknowledgment }

// MustReplyEmpty is vMustReplyEmpty: the answer is Empty, as to any packet
// that is not known.
type MustReplyEmpty struct{}

var theMustReplyEmpty = &MustReplyEmpty{}

// Packet returns PacketMustReplyEmpty.
func (*MustReplyEmpty) Packet() PacketName { return PacketMustReplyEmpty }

// A FeatureState is the form in which qSupported mentions a feature.
type FeatureState byte

// The states of a feature, with their characters on the wire.
const (
	FeatureYes   FeatureState = '+'
	FeatureNo    FeatureState = '-'
	FeatureMaybe FeatureState = '?'
	FeatureValue FeatureState = '='
)

// A Feature is one entry of qSupported, from either side.
type Feature struct {
	Name  string
	State FeatureState
	// Value is what follows '=', for FeatureValue only. It holds no ';'.
	Value string
}

// Features is the list that qSupported carries, from either side.
type Features []Feature

// Lookup finds the last entry with that name.
func (f Features) Lookup(name string) (Feature, bool) {
	for i := len(f) - 1; i >= 0; i-- {
		if f[i].Name == name {
			return f[i], true
		}
	}
	return Feature{}, false
}

// Has reports whether the feature is supported: "name+" or "name=value".
func (f Features) Has(name string) bool {
	entry, ok := f.Lookup(name)
	return ok && (entry.State == FeatureYes || entry.State == FeatureValue)
}

// Value returns the value of "name=value", and whether there is one.
func (f Features) Value(name string) (string, bool) {
	entry, ok := f.Lookup(name)
	return entry.Value, ok && entry.State == FeatureValue
}

// ParseFeatures reads a list of features that ';' separates. Entries of
// none of the four forms count as supported: some servers leave out '+'.
func ParseFeatures(text []byte) Features {
	var list Features
	for entry := range bytes.SplitSeq(text, []byte{';'}) {
		if len(entry) == 0 {
			continue
		}
		if name, value, found := bytes.Cut(entry, []byte{'='}); found {
			list = append(list, Feature{Name: string(name), State: FeatureValue, Value: string(value)})
			continue
		}
		last := len(entry) - 1
		switch state := FeatureState(entry[last]); state {
		case FeatureYes, FeatureNo, FeatureMaybe:
			list = append(list, Feature{Name: string(entry[:last]), State: state})
		default:
			list = append(list, Feature{Name: string(entry), State: FeatureYes})
		}
	}
	return list
}

// SupportedQuery is qSupported: the client's features, and the question for
// the server's. The answer is Supported.
type SupportedQuery struct {
	Features
}

// Packet returns PacketSupported.
func (*SupportedQuery) Packet() PacketName { return PacketSupported }

func (p *Parser) parseSupportedQuery(s *scanner) Request {
	s.name = PacketSupported
	r := &SupportedQuery{}
	// LLDB's tests have a ';' before each.
	if s.accept(':') || p.Dialect == LLDB && s.accept(';') {
		r.Features = ParseFeatures(s.rest())
	}
	s.end()
	return r
}

// Supported is the reply to qSupported.
type Supported struct {
	Features
}

// AppendTo appends the features in their order, with ';' between them.
func (s Supported) AppendTo(dst []byte) []byte {
	for i, f := range s.Features {
		if i > 0 {
			dst = append(dst, ';')
		}
		dst = append(append(dst, f.Name...), byte(f.State))
		if f.State == FeatureValue {
			dst = append(dst, f.Value...)
		}
	}
	return dst
}
