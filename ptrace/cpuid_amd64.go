package ptrace

// cpuid executes the CPUID instruction (Intel SDM volume 2, CPUID).
//
//go:noescape
func cpuid(leaf, subleaf uint32) (eax, ebx, ecx, edx uint32)

// xgetbv0 reads extended control register 0, the set of state components the
// operating system has enabled. The instruction faults unless CPUID.1:ECX
// bit 27 (OSXSAVE) is set.
//
//go:noescape
func xgetbv0() (value uint64)
