package rsp

// A Dialect says which family of clients is talking. GDB and LLDB give some
// letters different meanings.
type Dialect uint8

const (
	// GDB is the protocol as GDB's manual describes it.
	GDB Dialect = iota
	// LLDB is the protocol with LLDB's extensions.
	LLDB
)

// String returns the dialect's name.
func (d Dialect) String() string {
	switch d {
	case GDB:
		return "gdb"
	case LLDB:
		return "lldb"
	}
	return "unknown dialect"
}
