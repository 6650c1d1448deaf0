package rsp

// OffsetsQuery is qOffsets: how far was the program moved from where it was
// linked to? The answer is Offsets.
type OffsetsQuery struct{}

var theOffsetsQuery = &OffsetsQuery{}

// Packet returns PacketOffsets.
func (*OffsetsQuery) Packet() PacketName { return PacketOffsets }

// Offsets is the reply to qOffsets: how far the sections were moved, in
// bytes.
type Offsets struct{ Text, Data uint64 }

// AppendTo appends the reply. The offset of the data also stands for that of
// the bss, as GDB takes it.
func (o Offsets) AppendTo(dst []byte) []byte {
	dst = appendHexNumber(append(dst, "Text="...), o.Text)
	dst = appendHexNumber(append(dst, ";Data="...), o.Data)
	return appendHexNumber(append(dst, ";Bss="...), o.Data)
}
