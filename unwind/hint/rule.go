package hint

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"rspd/unwind/cfi"
)

// maxText bounds the text of a rule, and with it how deep it nests.
const maxText = 200

// Rule reads where a value is:
//
//	rsp+128        the value of a register, plus or minus a number
//	[rsp+8]        the 8 bytes in memory at an address
//	[[rbx]-8]+16   the same, of what is in memory, plus or minus a number
//	[0x70001010]   the 8 bytes at an absolute address
//	[cfa-24]       the 8 bytes at the row's CFA minus 24; not in the CFA itself
//	cfa-24         that address itself
//	same           the register still has its value; not for the CFA
//	lost           the value isn't anywhere; not for the CFA
//
// Numbers are decimal, or hexadecimal after 0x. The rule of a CFA is that of
// cfi.Row.CFA, others are those of cfi.Row.Rules.
func Rule(text string, isCFA bool) (cfi.Rule, error) {
	if len(text) > maxText {
		return cfi.Rule{}, errors.New("the rule is too long")
	}
	switch text = strings.TrimSpace(text); {
	case text == "same" && !isCFA:
		return cfi.Rule{Kind: cfi.SameValue}, nil
	case text == "lost" && !isCFA:
		return cfi.Rule{Kind: cfi.Undefined}, nil
	}
	p := &ruleParser{rest: text, isCFA: isCFA}
	v, err := p.sum()
	if err == nil && p.rest != "" {
		err = fmt.Errorf("%q is left over", p.rest)
	}
	if err != nil {
		return cfi.Rule{}, fmt.Errorf("the rule %q makes no sense: %w", text, err)
	}
	return v.rule()
}

// A term is a value as far as it is a register or the CFA plus an offset, or
// else an expression.
type term struct {
	register   cfi.Register
	isCFA      bool
	expression string // of what is neither
	offset     int64
	loaded     *term // the address, if the term is memory
}

type ruleParser struct {
	rest  string
	isCFA bool
}

func (p *ruleParser) sum() (term, error) {
	v, err := p.primary()
	if err != nil {
		return v, err
	}
	p.rest = strings.TrimLeft(p.rest, " ")
	for p.rest != "" && (p.rest[0] == '+' || p.rest[0] == '-') {
		sign := p.rest[0]
		p.rest = strings.TrimLeft(p.rest[1:], " ")
		n, err := p.number()
		if err != nil {
			return v, err
		}
		if sign == '-' {
			n = -n
		}
		v.offset += int64(n)
		p.rest = strings.TrimLeft(p.rest, " ")
	}
	return v, nil
}

func (p *ruleParser) primary() (term, error) {
	p.rest = strings.TrimLeft(p.rest, " ")
	if strings.HasPrefix(p.rest, "[") {
		p.rest = p.rest[1:]
		address, err := p.sum()
		if err != nil {
			return address, err
		}
		if !strings.HasPrefix(p.rest, "]") {
			return address, errors.New("a ] is missing")
		}
		p.rest = p.rest[1:]
		where, err := address.text()
		if err != nil && !address.isCFA {
			return address, err
		}
		v := term{loaded: &address}
		if where != "" {
			v.expression = cfi.Load(where, 0)
		}
		return v, nil
	}
	word := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "abcdefghijklmnopqrstuvwxyz0123456789"))]
	if word == "cfa" && !p.isCFA {
		p.rest = p.rest[len(word):]
		return term{isCFA: true}, nil
	}
	for r := cfi.Register(0); r < cfi.RIP; r++ {
		if r.String() == word {
			p.rest = p.rest[len(word):]
			return term{register: r}, nil
		}
	}
	n, err := p.number()
	return term{expression: cfi.Constant(n)}, err
}

func (p *ruleParser) number() (uint64, error) {
	end := 0
	for end < len(p.rest) && strings.IndexByte("0123456789abcdefxABCDEFX", p.rest[end]) >= 0 {
		end++
	}
	n, err := strconv.ParseUint(p.rest[:end], 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%.20q is neither a register nor a number", p.rest)
	}
	p.rest = p.rest[end:]
	return n, nil
}

// text gives the expression of a term that doesn't need the CFA.
func (v term) text() (string, error) {
	switch {
	case v.isCFA, v.loaded != nil && v.expression == "":
		return "", errors.New("the CFA can only be used as cfa or [cfa], plus or minus a number")
	case v.expression == "":
		return cfi.RegisterPlus(v.register, v.offset), nil
	case v.offset == 0:
		return v.expression, nil
	}
	return cfi.Plus(v.expression, v.offset), nil
}

func (v term) rule() (cfi.Rule, error) {
	switch {
	case v.isCFA:
		return cfi.Rule{Kind: cfi.CFAPlus, Offset: v.offset}, nil
	case v.loaded != nil && v.loaded.isCFA && v.offset == 0:
		return cfi.Rule{Kind: cfi.SavedAt, Offset: v.loaded.offset}, nil
	case v.loaded == nil && v.expression == "":
		return cfi.Rule{Kind: cfi.InRegister, Register: v.register, Offset: v.offset}, nil
	}
	expression, err := v.text()
	return cfi.Rule{Kind: cfi.ByExpression, Expression: expression}, err
}
