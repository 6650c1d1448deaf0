package unwind

import (
	"errors"

	"golang.org/x/arch/x86/x86asm"
)

var errNoInstruction = errors.New("these bytes are no known instruction")

// decode decodes the instruction at the front of code, also some that
// x86asm doesn't know.
func decode(code []byte) (x86asm.Inst, error) {
	// ENDBR64, ENDBR32 and the other hints of CET: F3 (REX) 0F 1E /r.
	if len(code) >= 4 && code[0] == 0xf3 {
		at := 1
		if code[at]&0xf0 == 0x40 {
			at++
		}
		if len(code) > at+2 && code[at] == 0x0f && code[at+1] == 0x1e && code[at+2]>>6 == 3 {
			in := x86asm.Inst{Op: x86asm.NOP, Len: at + 3, Mode: 64}
			if modrm := code[at+2]; modrm != 0xfa && modrm != 0xfb && modrm>>3&7 == 1 {
				// RDSSP changes its operand.
				register := x86asm.RAX + x86asm.Reg(modrm&7)
				if at == 2 && code[1]&1 != 0 {
					register += 8
				}
				in.Op = x86asm.POPCNT
				in.Args[0] = register
			}
			return in, nil
		}
	}
	in, err := x86asm.Decode(code, 64)
	if err != nil {
		return in, err
	}
	if in.Op == 0 || in.Len == 0 || in.Len > len(code) {
		return in, errNoInstruction
	}
	return in, nil
}
