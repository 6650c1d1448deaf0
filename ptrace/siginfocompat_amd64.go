package ptrace

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// CompatSiginfo is siginfo_t as a 32-bit program has it: struct
// compat_siginfo (include/linux/compat.h), 128 raw bytes. The three numbers are
// those of Siginfo, but the union follows at 12 instead of 16, and long, clock_t
// and pointers in it have 4 bytes.
//
// ptrace(2) gives a 64-bit tracer the information in its own form, whatever
// the tracee is. What goes where is as in copy_siginfo_to_external32 and
// post_copy_siginfo_from_user32 of kernel/signal.c.
type CompatSiginfo [128]byte

// si_code values that decide about the union (include/uapi/asm-generic/siginfo.h).
const (
	codeUser   = 0    // SI_USER
	codeKernel = 0x80 // SI_KERNEL
	codeTimer  = -2   // SI_TIMER
	codeIO     = -5   // SI_SIGIO
)

// siginfoField is a number in the union: its size and its place in bytes in
// each form, from the start of siginfo_t. One that is wider in the 64-bit form
// is extended with its sign, or with zeros if it is an address.
type siginfoField struct {
	native, nativeSize int
	compat, compatSize int
	signed             bool
}

var (
	pidField   = siginfoField{16, 4, 12, 4, false}
	uidField   = siginfoField{20, 4, 16, 4, false}
	valueField = siginfoField{24, 8, 20, 4, false}
	addrField  = siginfoField{16, 8, 12, 4, false}
	lsbField   = siginfoField{24, 2, 16, 2, false}

	// The names are those of the members si_... .
	killFields  = []siginfoField{pidField, uidField}
	rtFields    = []siginfoField{pidField, uidField, valueField}
	timerFields = []siginfoField{pidField, uidField, valueField} // tid, overrun, value
	childFields = []siginfoField{pidField, uidField,
		{24, 4, 20, 4, false}, // status
		{32, 8, 24, 4, true},  // utime
		{40, 8, 28, 4, true},  // stime
	}
	pollFields = []siginfoField{
		{16, 8, 12, 4, true},  // band
		{24, 4, 16, 4, false}, // fd
	}
	systemCallFields = []siginfoField{
		addrField,
		{24, 4, 16, 4, false}, // syscall
		{28, 4, 20, 4, false}, // arch
	}
	faultFields  = []siginfoField{addrField}
	memoryFields = []siginfoField{addrField, lsbField}
	// _addr_bnd and _addr_pkey follow padding as large as a pointer is aligned.
	boundsFields = []siginfoField{addrField,
		{32, 8, 20, 4, false}, // lower
		{40, 8, 24, 4, false}, // upper
	}
	keyFields  = []siginfoField{addrField, {32, 4, 20, 4, false}} // pkey
	perfFields = []siginfoField{addrField,
		{24, 8, 16, 4, false}, // perf_data
		{32, 4, 20, 4, false}, // perf_type
		{36, 4, 24, 4, false}, // perf_flags
	}
)

// siginfoFields tells which members the union has, as siginfo_layout of
// kernel/signal.c does.
func siginfoFields(signal unix.Signal, code int32) []siginfoField {
	if code <= codeUser || code >= codeKernel {
		switch {
		case code == codeTimer:
			return timerFields
		case code == codeIO:
			return pollFields
		case code < 0:
			return rtFields
		}
		return killFields
	}
	// How many codes of its own each signal has: NSIGILL and so on.
	switch {
	case signal == unix.SIGBUS && (code == 4 || code == 5): // BUS_MCEERR_AR, BUS_MCEERR_AO
		return memoryFields
	case signal == unix.SIGSEGV && code == 3: // SEGV_BNDERR
		return boundsFields
	case signal == unix.SIGSEGV && code == 4: // SEGV_PKUERR
		return keyFields
	case signal == unix.SIGTRAP && code == 6: // TRAP_PERF
		return perfFields
	case signal == unix.SIGILL && code <= 11, signal == unix.SIGFPE && code <= 15,
		signal == unix.SIGSEGV && code <= 10, signal == unix.SIGBUS && code <= 5,
		signal == unix.SIGTRAP && code <= 6:
		return faultFields
	case signal == unix.SIGCHLD && code <= 6:
		return childFields
	case signal == unix.SIGSYS && code <= 2:
		return systemCallFields
	case code <= 6: // NSIGPOLL: F_SETSIG(2) lets any signal tell of input
		return pollFields
	}
	return killFields
}

// siginfoHead is the size in bytes of si_signo, si_errno and si_code.
const siginfoHead = 12

func loadInteger(b []byte, size int, signed bool) uint64 {
	switch size {
	case 2:
		return uint64(binary.NativeEndian.Uint16(b))
	case 4:
		if signed {
			return uint64(int32(binary.NativeEndian.Uint32(b)))
		}
		return uint64(binary.NativeEndian.Uint32(b))
	}
	return binary.NativeEndian.Uint64(b)
}

func storeInteger(b []byte, size int, value uint64) {
	switch size {
	case 2:
		binary.NativeEndian.PutUint16(b, uint16(value))
	case 4:
		binary.NativeEndian.PutUint32(b, uint32(value))
	default:
		binary.NativeEndian.PutUint64(b, value)
	}
}

// Compat is the information as a 32-bit program gets it. Numbers that do not
// fit lose their upper bits.
func (s *Siginfo) Compat() CompatSiginfo {
	var compat CompatSiginfo
	copy(compat[:siginfoHead], s[:])
	for _, f := range siginfoFields(s.Signal(), s.Code()) {
		storeInteger(compat[f.compat:], f.compatSize, loadInteger(s[f.native:], f.nativeSize, f.signed))
	}
	return compat
}

// Siginfo is the information in the kernel's own form.
func (c *CompatSiginfo) Siginfo() Siginfo {
	var native Siginfo
	copy(native[:siginfoHead], c[:])
	for _, f := range siginfoFields(native.Signal(), native.Code()) {
		storeInteger(native[f.native:], f.nativeSize, loadInteger(c[f.compat:], f.compatSize, f.signed))
	}
	return native
}
