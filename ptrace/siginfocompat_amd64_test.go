package ptrace

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

// place is a number at an offset in bytes from the start of siginfo_t.
type place struct {
	offset, size int
	value        uint64
}

func laidOut(b []byte, signal unix.Signal, code int32, places []place) {
	binary.NativeEndian.PutUint32(b, uint32(signal))
	binary.NativeEndian.PutUint32(b[4:], 7)
	binary.NativeEndian.PutUint32(b[8:], uint32(code))
	for _, p := range places {
		storeInteger(b[p.offset:], p.size, p.value)
	}
}

// TestCompatSiginfo has each kind of signal information in both forms, with
// the offsets that gcc gives the members of the two structs.
func TestCompatSiginfo(t *testing.T) {
	for name, c := range map[string]struct {
		signal         unix.Signal
		code           int32
		native, compat []place
	}{
		"kill(2)": {unix.SIGUSR1, 0,
			[]place{{16, 4, 4711}, {20, 4, 1000}}, []place{{12, 4, 4711}, {16, 4, 1000}}},
		"tgkill(2)": {unix.SIGUSR1, -6,
			[]place{{16, 4, 4711}, {20, 4, 1000}}, []place{{12, 4, 4711}, {16, 4, 1000}}},
		"sigqueue(3)": {34, -1,
			[]place{{16, 4, 4711}, {20, 4, 1000}, {24, 8, 0xdeadbeef}}, []place{{12, 4, 4711}, {16, 4, 1000}, {20, 4, 0xdeadbeef}}},
		"a timer": {unix.SIGALRM, -2,
			[]place{{16, 4, 3}, {20, 4, 2}, {24, 8, 0x8048000}}, []place{{12, 4, 3}, {16, 4, 2}, {20, 4, 0x8048000}}},
		"a segmentation fault": {unix.SIGSEGV, 1,
			[]place{{16, 8, 0xffffd000}}, []place{{12, 4, 0xffffd000}}},
		"a general protection fault": {unix.SIGSEGV, 0x80, nil, nil},
		"bounds": {unix.SIGSEGV, 3,
			[]place{{16, 8, 0xf0000000}, {32, 8, 0x1000}, {40, 8, 0x2000}}, []place{{12, 4, 0xf0000000}, {20, 4, 0x1000}, {24, 4, 0x2000}}},
		"a protection key": {unix.SIGSEGV, 4,
			[]place{{16, 8, 0xf0000000}, {32, 4, 5}}, []place{{12, 4, 0xf0000000}, {20, 4, 5}}},
		"a memory error": {unix.SIGBUS, 4,
			[]place{{16, 8, 0xf0000000}, {24, 2, 12}}, []place{{12, 4, 0xf0000000}, {16, 2, 12}}},
		"a division by zero": {unix.SIGFPE, 1,
			[]place{{16, 8, 0x8049123}}, []place{{12, 4, 0x8049123}}},
		"a watchpoint": {unix.SIGTRAP, TrapHardware,
			[]place{{16, 8, 0x8049123}}, []place{{12, 4, 0x8049123}}},
		"int3": {unix.SIGTRAP, TrapKernel, nil, nil},
		"a performance event": {unix.SIGTRAP, 6,
			[]place{{16, 8, 0x8049123}, {24, 8, 9}, {32, 4, 8}, {36, 4, 7}}, []place{{12, 4, 0x8049123}, {16, 4, 9}, {20, 4, 8}, {24, 4, 7}}},
		"a child": {unix.SIGCHLD, 1,
			[]place{{16, 4, 4712}, {20, 4, 1000}, {24, 4, 5}, {32, 8, 100}, {40, 8, 200}},
			[]place{{12, 4, 4712}, {16, 4, 1000}, {20, 4, 5}, {24, 4, 100}, {28, 4, 200}}},
		"input": {unix.SIGIO, 1,
			[]place{{16, 8, 65}, {24, 4, 3}}, []place{{12, 4, 65}, {16, 4, 3}}},
		"input by F_SETSIG": {unix.SIGUSR2, 1,
			[]place{{16, 8, 65}, {24, 4, 3}}, []place{{12, 4, 65}, {16, 4, 3}}},
		"input queued": {unix.SIGIO, -5,
			[]place{{16, 8, 1<<64 - 1}, {24, 4, 3}}, []place{{12, 4, 1<<32 - 1}, {16, 4, 3}}},
		"a filtered system call": {unix.SIGSYS, 1,
			[]place{{16, 8, 0xf7fc5579}, {24, 4, 20}, {28, 4, 0x40000003}}, []place{{12, 4, 0xf7fc5579}, {16, 4, 20}, {20, 4, 0x40000003}}},
	} {
		var native Siginfo
		var compat CompatSiginfo
		laidOut(native[:], c.signal, c.code, c.native)
		laidOut(compat[:], c.signal, c.code, c.compat)
		if got := native.Compat(); got != compat {
			t.Errorf("%s: to 32 bits:\n%x, want\n%x", name, got[:48], compat[:48])
		}
		if got := compat.Siginfo(); got != native {
			t.Errorf("%s: to 64 bits:\n%x, want\n%x", name, got[:48], native[:48])
		}
	}
}

// TestCompatSiginfoOfAnything converts random bytes: what a 32-bit program can
// have is the same after it went through the kernel's form.
func TestCompatSiginfoOfAnything(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var native Siginfo
		for i := range native {
			native[i] = byte(random.Uint32())
		}
		laidOut(native[:12], unix.Signal(random.IntN(66)), int32(random.IntN(300)-20), nil)
		once := native.Compat()
		back := once.Siginfo()
		if again := back.Compat(); again != once {
			t.Fatalf("signal %d, code %d: %x, then %x", native.Signal(), native.Code(), once, again)
		}
	}
}
