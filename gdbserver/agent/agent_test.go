package agent

import (
	"encoding/binary"
	"errors"
	"math"
	"strings"
	"testing"
)

// fakeTarget has registers 0 to 3 and sixteen bytes at 0x1000; what follows
// them is text.
type fakeTarget struct {
	registers [4]uint64
	memory    []byte
	printed   strings.Builder
}

const memoryBase = 0x1000

var errNowhere = errors.New("there is nothing")

func newTarget() *fakeTarget {
	t := &fakeTarget{registers: [4]uint64{7, math.MaxUint64, 0x1000, 3}}
	for i := range byte(16) {
		t.memory = append(t.memory, 0xf0+i)
	}
	t.memory = append(t.memory, "text\x00\x00"...)
	return t
}

func (t *fakeTarget) Register(number int) (uint64, error) {
	if number >= len(t.registers) {
		return 0, errNowhere
	}
	return t.registers[number], nil
}

func (t *fakeTarget) ReadMemory(address uint64, buffer []byte) error {
	offset := address - memoryBase
	if offset >= uint64(len(t.memory)) {
		return errNowhere
	}
	if copy(buffer, t.memory[offset:]) < len(buffer) && len(buffer) <= 8 {
		return errNowhere
	}
	return nil
}

func (t *fakeTarget) Print(text []byte) error {
	t.printed.Write(text)
	return nil
}

// push is const64 for each value.
func push(values ...uint64) []byte {
	var code []byte
	for _, value := range values {
		code = binary.BigEndian.AppendUint64(append(code, byte(opConst64)), value)
	}
	return code
}

func joined(parts ...[]byte) []byte {
	var code []byte
	for _, part := range parts {
		code = append(code, part...)
	}
	return code
}

// ops is a piece of code, which end follows.
func ops(bytes ...byte) []byte { return append(bytes, byte(opEnd)) }

const lowest = uint64(1) << 63

// minus is a negative number in two's complement.
func minus(n uint64) uint64 { return -n }

var evaluations = []struct {
	name string
	code []byte
	want uint64
}{
	{"add", joined(push(3, 4), ops(0x02)), 7},
	{"add wraps", joined(push(math.MaxUint64, 2), ops(0x02)), 1},
	{"sub", joined(push(3, 4), ops(0x03)), minus(1)},
	{"mul", joined(push(minus(3), 4), ops(0x04)), minus(12)},
	{"mul wraps", joined(push(1<<63, 2), ops(0x04)), 0},
	{"div_signed", joined(push(minus(7), 2), ops(0x05)), minus(3)},
	{"div_signed of the lowest", joined(push(lowest, minus(1)), ops(0x05)), lowest},
	{"div_unsigned", joined(push(minus(7), 2), ops(0x06)), (math.MaxUint64 - 6) / 2},
	{"rem_signed", joined(push(minus(7), 2), ops(0x07)), minus(1)},
	{"rem_signed of the lowest", joined(push(lowest, minus(1)), ops(0x07)), 0},
	{"rem_unsigned", joined(push(minus(7), 10), ops(0x08)), (math.MaxUint64 - 6) % 10},
	{"lsh", joined(push(3, 62), ops(0x09)), 3 << 62},
	{"lsh by all", joined(push(3, 64), ops(0x09)), 0},
	{"rsh_signed", joined(push(minus(8), 1), ops(0x0a)), minus(4)},
	{"rsh_signed by all", joined(push(minus(8), math.MaxUint64), ops(0x0a)), minus(1)},
	{"rsh_unsigned", joined(push(minus(8), 1), ops(0x0b)), minus(8) >> 1},
	{"rsh_unsigned by all", joined(push(minus(8), 64), ops(0x0b)), 0},
	{"log_not of zero", joined(push(0), ops(0x0e)), 1},
	{"log_not", joined(push(1<<40), ops(0x0e)), 0},
	{"bit_and", joined(push(0xff0f, 0x0ff0), ops(0x0f)), 0x0f00},
	{"bit_or", joined(push(0xff00, 0x0ff0), ops(0x10)), 0xfff0},
	{"bit_xor", joined(push(0xff00, 0x0ff0), ops(0x11)), 0xf0f0},
	{"bit_not", joined(push(0xff), ops(0x12)), ^uint64(0xff)},
	{"equal", joined(push(5, 5), ops(0x13)), 1},
	{"not equal", joined(push(5, 5+1<<32), ops(0x13)), 0},
	{"less_signed", joined(push(minus(1), 0), ops(0x14)), 1},
	{"less_signed of equals", joined(push(4, 4), ops(0x14)), 0},
	{"less_unsigned", joined(push(minus(1), 0), ops(0x15)), 0},
	{"less_unsigned, less", joined(push(0, minus(1)), ops(0x15)), 1},
	{"ext 8", joined(push(0x1280), ops(0x16, 8)), minus(0x80)},
	{"ext 8 of a positive", joined(push(0xff7f), ops(0x16, 8)), 0x7f},
	{"ext 32", joined(push(0x80000000), ops(0x16, 32)), 0xffffffff80000000},
	{"ext 48", joined(push(1<<47), ops(0x16, 48)), 0xffff800000000000},
	{"ext 1", joined(push(3), ops(0x16, 1)), minus(1)},
	{"ext 0", joined(push(3), ops(0x16, 0)), 0},
	{"ext 64", joined(push(minus(3)), ops(0x16, 64)), minus(3)},
	{"ext 255", joined(push(minus(3)), ops(0x16, 255)), minus(3)},
	{"ref8", joined(push(0x1003), ops(0x17)), 0xf3},
	{"ref16", joined(push(0x1003), ops(0x18)), 0xf4f3},
	{"ref32", joined(push(0x1001), ops(0x19)), 0xf4f3f2f1},
	{"ref64", joined(push(0x1001), ops(0x1a)), 0xf8f7f6f5f4f3f2f1},
	{"ref8 after ref64", joined(push(0x1001), []byte{0x1a, 0x29}, push(0x1000), ops(0x17)), 0xf0},
	{"if_goto taken", ops(0x22, 1, 0x20, 0, 8, 0x22, 3, 0x27, 0x22, 4), 4},
	{"if_goto not taken", ops(0x22, 0, 0x20, 0, 8, 0x22, 3, 0x27, 0x22, 4), 3},
	{"if_goto of a high bit", joined(push(lowest), ops(0x20, 0, 15, 0x22, 3, 0x27, 0x22, 4)), 4},
	{"goto", ops(0x21, 0, 5, 0xff, 0xff, 0x22, 9), 9},
	// 5 + 4 + 3 + 2 + 1, by a jump backward.
	{"goto backward", ops(0x22, 0, 0x22, 5, // sum n
		0x28, 0x20, 0, 11, // 4: n != 0?
		0x29, 0x27, 0, // drop n; the byte after end is never run
		0x2b, 0x32, 1, 0x02, 0x2b, 0x22, 1, 0x03, // 11: sum += n, n -= 1
		0x21, 0, 4), 15},
	{"const8", ops(0x22, 0x85), 0x85},
	{"const16", ops(0x23, 0x85, 1), 0x8501},
	{"const32", ops(0x24, 0x85, 1, 2, 3), 0x85010203},
	{"const64", ops(0x25, 0x85, 1, 2, 3, 4, 5, 6, 7), 0x8501020304050607},
	{"reg", ops(0x26, 0, 1), math.MaxUint64},
	{"dup", joined(push(3), ops(0x28, 0x04)), 9},
	{"pop", joined(push(3, 4), ops(0x29)), 3},
	{"zero_ext 8", joined(push(0x1280), ops(0x2a, 8)), 0x80},
	{"zero_ext 32", joined(push(minus(1)), ops(0x2a, 32)), math.MaxUint32},
	{"zero_ext 0", joined(push(minus(1)), ops(0x2a, 0)), 0},
	{"zero_ext 64", joined(push(minus(1)), ops(0x2a, 64)), math.MaxUint64},
	{"swap", joined(push(3, 4), ops(0x2b, 0x03)), 1},
	{"pick 0", joined(push(3, 4), ops(0x32, 0)), 4},
	{"pick 2", joined(push(3, 4, 5), ops(0x32, 2)), 3},
	// a b c becomes c a b.
	{"rot, first", joined(push(1, 2, 3), ops(0x33)), 2},
	{"rot, second", joined(push(1, 2, 3), ops(0x33, 0x29)), 1},
	{"rot, third", joined(push(1, 2, 3), ops(0x33, 0x29, 0x29)), 3},
}

func TestEvaluate(t *testing.T) {
	var machine Machine
	ran := map[operation]bool{}
	for _, c := range evaluations {
		expression, err := Compile(c.code)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		for _, instruction := range expression.instructions {
			ran[instruction.operation] = true
		}
		if got, err := machine.Evaluate(expression, newTarget()); err != nil || got != c.want {
			t.Errorf("%s: %#x, %v; want %#x", c.name, got, err, c.want)
		}
	}
	ran[opPrintf] = true // in tests of its own
	for i, known := range operations {
		if known.name != "" && known.support == supported && !ran[operation(i)] {
			t.Errorf("%s (%#x) is in no test", known.name, i)
		}
	}
}

func TestEvaluationErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   []byte
		want   error
		offset string
	}{
		{"div_signed by zero", joined(push(1, 0), ops(0x05)), ErrDivisionByZero, "offset 18:"},
		{"div_unsigned by zero", joined(push(1, 0), ops(0x06)), ErrDivisionByZero, "offset 18:"},
		{"rem_signed by zero", joined(push(1, 0), ops(0x07)), ErrDivisionByZero, "offset 18:"},
		{"rem_unsigned by zero", joined(push(1, 0), ops(0x08)), ErrDivisionByZero, "offset 18:"},
		{"no value", ops(), ErrStackUnderflow, "offset 0:"},
		{"add of one", joined(push(1), ops(0x02)), ErrStackUnderflow, "offset 9:"},
		{"pop of none", ops(0x29), ErrStackUnderflow, "offset 0:"},
		{"rot of two", joined(push(1, 2), ops(0x33)), ErrStackUnderflow, "offset 18:"},
		{"pick beyond", joined(push(1, 2), ops(0x32, 2)), ErrStackUnderflow, "offset 18:"},
		{"printf without channel", joined(push(1), []byte{0x34, 0, 0, 2, 'a', 0, 0x27}), ErrStackUnderflow, "offset 9:"},
		{"printf without value", joined(push(1, 0), []byte{0x34, 1, 0, 3, '%', 'd', 0, 0x27}), ErrStackUnderflow, "offset 18:"},
		{"endless", []byte{0x21, 0, 0}, ErrEndless, "offset 0:"},
		{"ever higher", []byte{0x22, 1, 0x21, 0, 0}, ErrStackOverflow, "offset 0:"},
		{"ref of nothing", joined(push(8), ops(0x1a)), errNowhere, "offset 9:"},
		{"ref of less", joined(push(0x1010+6-1), ops(0x18)), errNowhere, "offset 9:"},
		{"reg of none", ops(0x26, 1, 0), errNowhere, "offset 0:"},
	} {
		expression, err := Compile(c.code)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var machine Machine
		if value, err := machine.Evaluate(expression, newTarget()); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.offset) {
			t.Errorf("%s: %#x, %v; want %v at %s", c.name, value, err, c.want, c.offset)
		}
	}
}

func TestRunNeedsNoValue(t *testing.T) {
	expression, err := Compile(ops())
	if err != nil {
		t.Fatal(err)
	}
	var machine Machine
	if err := machine.Run(expression, newTarget()); err != nil {
		t.Error(err)
	}
}

func TestCompileRefuses(t *testing.T) {
	cases := map[string][]byte{
		"is empty":                           {},
		"there is no operation 0x00":         {0x00},
		"there is no operation 0x31":         {0x31},
		"there is no operation 0x35":         {0x35},
		"there is no operation 0xff":         {0x22, 1, 0xff},
		"offset 2, past its end":             {0x22, 1},
		"offset 9, past its end":             {0x21, 0, 9},
		"the operand of const8 is cut off":   {0x22},
		"the operand of const64 is cut off":  {0x25, 1, 2, 3, 4, 5, 6, 7},
		"the operand of if_goto is cut off":  {0x22, 1, 0x20, 0},
		"offsets 0 and 1 overlap":            {0x22, 0x28, 0x20, 0, 1, 0x27},
		"the format of printf is cut off":    {0x34, 0, 0, 5, 'a', 0},
		"does not end in a zero byte":        {0x34, 0, 0, 1, 'a', 0x27},
		"2 values for a format that takes 1": {0x34, 2, 0, 3, '%', 'd', 0, 0x27},
	}
	for operation, known := range operations {
		switch known.support {
		case tracing:
			cases[known.name+" is for tracepoints"] = ops(byte(operation), 0, 0)
		case floating:
			cases[known.name+" is for floating-point values"] = ops(byte(operation))
		}
	}
	for want, code := range cases {
		if _, err := Compile(code); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("% x: %v, want %q", code, err, want)
		}
	}
}

// printing is a printf of values, the first of which it takes first.
func printing(format string, values ...uint64) []byte {
	var code []byte
	for i := len(values) - 1; i >= 0; i-- {
		code = append(code, push(values[i])...)
	}
	code = append(code, push(0, 0)...)
	code = append(code, byte(opPrintf), byte(len(values)), byte((len(format)+1)>>8), byte(len(format)+1))
	return append(append(code, format...), 0, byte(opEnd))
}

func TestPrintf(t *testing.T) {
	const text = 0x1010
	for _, c := range []struct {
		format string
		values []uint64
		want   string
	}{
		{`At foo entry\n`, nil, "At foo entry\n"},
		{`arg=%d, g=%d\n`, []uint64{1235, minus(7)}, "arg=1235, g=-7\n"},
		{`\a\b\e\f\n\r\t\v\\\"\'\?`, nil, "\a\b\x1b\f\n\r\t\v\\\"'?"},
		{`\101\x42\0`, nil, "AB\x00"},
		{`100%%`, nil, "100%"},
		{`%d %u`, []uint64{1 << 31, minus(1)}, "-2147483648 4294967295"},
		{`%ld %lu %lld %llx %zu %jd`, []uint64{minus(5), minus(1), lowest, minus(1), 3, minus(2)},
			"-5 18446744073709551615 -9223372036854775808 ffffffffffffffff 3 -2"},
		{`%hd %hhd %hu %hhx`, []uint64{0x18000, 0x180, 0x1ffff, 0x1fe}, "-32768 -128 65535 fe"},
		{`%i`, []uint64{minus(1)}, "-1"},
		{`[%5d] [%-5d] [%05d] [%+d] [% d] [%.3d] [%5.3d] [%-05d]`, []uint64{42, 42, minus(42), 42, 42, 7, 7, 1},
			"[   42] [42   ] [-0042] [+42] [ 42] [007] [  007] [1    ]"},
		{`[%.0d] [%.d]`, []uint64{0, 0}, "[] []"},
		{`%x %X %#x %#X %#x %o %#o %#o %08x`, []uint64{0xab, 0xab, 0xab, 0xab, 0, 8, 8, 0, 0xbeef},
			"ab AB 0xab 0XAB 0 10 010 0 0000beef"},
		{`%#010x %.5x`, []uint64{0xab, 0xab}, "0x000000ab 000ab"},
		{`%c%c[%3c][%-3c]`, []uint64{'a', 0x100 + 'b', 'c', 'd'}, "ab[  c][d  ]"},
		{`%s [%6s] [%-6s] [%.2s] [%s] [%.3s]`, []uint64{text, text, text, text, 0, 0}, "text [  text] [text  ] [te] [(null)] [(nu]"},
		{`%p %p [%6p]`, []uint64{0x7fff00001234, 0, 0x12}, "0x7fff00001234 (nil) [  0x12]"},
		{``, nil, ""},
	} {
		expression, err := Compile(printing(c.format, c.values...))
		if err != nil {
			t.Errorf("%q: %v", c.format, err)
			continue
		}
		var machine Machine
		target := newTarget()
		if err := machine.Run(expression, target); err != nil || target.printed.String() != c.want {
			t.Errorf("%q: %q, %v; want %q", c.format, target.printed.String(), err, c.want)
		}
	}
}

func TestPrintfRefuses(t *testing.T) {
	for format, want := range map[string]string{
		`%`: "ends within a conversion", `%5`: "ends within a conversion", `%l`: "ends within a conversion",
		`%n`: "%n is not supported", `%*d`: "*, is not supported", `%.*d`: "*, is not supported",
		`%f`: "floating-point", `%5.2lf`: "floating-point", `%Lg`: "floating-point",
		`%ls`: "wide", `%lc`: "wide", `%k`: "no conversion", `%99999d`: "above 4096", `%.99999d`: "above 4096",
		`\`: "ends in a backslash", `\q`: `\q`, `\400`: "escape", `\x`: "escape", "\\\xff": "byte 0xff",
	} {
		if _, err := Compile(printing(format, 1)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", format, err, want)
		}
	}
}

func TestPrintfOfUnreadableString(t *testing.T) {
	expression, err := Compile(printing("%s", 8))
	if err != nil {
		t.Fatal(err)
	}
	var machine Machine
	target := newTarget()
	if err := machine.Run(expression, target); !errors.Is(err, errNowhere) || target.printed.Len() > 0 {
		t.Errorf("%q, %v", target.printed.String(), err)
	}
}

func TestEvaluateAllocatesNothing(t *testing.T) {
	// x == 3 for an int at rbp-4.
	expression, err := Compile(ops(0x26, 0, 2, 0x22, 4, 0x02, 0x19, 0x16, 32, 0x22, 3, 0x13))
	if err != nil {
		t.Fatal(err)
	}
	var machine Machine
	target := newTarget()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := machine.Evaluate(expression, target); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzExpression holds any bytes to the promise that they are refused or end.
func FuzzExpression(f *testing.F) {
	for _, c := range evaluations {
		f.Add(c.code)
	}
	f.Add(printing(`[%-05d] %#x %s %p\n`, 1, 2, 0x1010, 4))
	f.Add([]byte{0x22, 1, 0x20, 0, 0, 0x27})
	f.Fuzz(func(t *testing.T, code []byte) {
		expression, err := Compile(code)
		if err != nil {
			if expression != nil || err.Error() == "" {
				t.Fatalf("refused with %v and %q", expression, err)
			}
			return
		}
		var machine Machine
		one, oneErr := machine.Evaluate(expression, newTarget())
		other, otherErr := machine.Evaluate(expression, newTarget())
		if one != other || (oneErr == nil) != (otherErr == nil) {
			t.Fatalf("%#x, %v the first time, %#x, %v the second", one, oneErr, other, otherErr)
		}
	})
}
