package agent

// operation is a byte that begins an instruction.
type operation uint8

// The operations (manual, "Bytecode Descriptions").
const (
	opFloat          operation = 0x01
	opAdd            operation = 0x02
	opSub            operation = 0x03
	opMul            operation = 0x04
	opDivSigned      operation = 0x05
	opDivUnsigned    operation = 0x06
	opRemSigned      operation = 0x07
	opRemUnsigned    operation = 0x08
	opLsh            operation = 0x09
	opRshSigned      operation = 0x0a
	opRshUnsigned    operation = 0x0b
	opTrace          operation = 0x0c
	opTraceQuick     operation = 0x0d
	opLogNot         operation = 0x0e
	opBitAnd         operation = 0x0f
	opBitOr          operation = 0x10
	opBitXor         operation = 0x11
	opBitNot         operation = 0x12
	opEqual          operation = 0x13
	opLessSigned     operation = 0x14
	opLessUnsigned   operation = 0x15
	opExt            operation = 0x16
	opRef8           operation = 0x17
	opRef16          operation = 0x18
	opRef32          operation = 0x19
	opRef64          operation = 0x1a
	opRefFloat       operation = 0x1b
	opRefDouble      operation = 0x1c
	opRefLongDouble  operation = 0x1d
	opLongToDouble   operation = 0x1e
	opDoubleToLong   operation = 0x1f
	opIfGoto         operation = 0x20
	opGoto           operation = 0x21
	opConst8         operation = 0x22
	opConst16        operation = 0x23
	opConst32        operation = 0x24
	opConst64        operation = 0x25
	opReg            operation = 0x26
	opEnd            operation = 0x27
	opDup            operation = 0x28
	opPop            operation = 0x29
	opZeroExt        operation = 0x2a
	opSwap           operation = 0x2b
	opGetVariable    operation = 0x2c
	opSetVariable    operation = 0x2d
	opTraceVariable  operation = 0x2e
	opTraceString    operation = 0x2f
	opTrace16        operation = 0x30
	opPick           operation = 0x32
	opRot            operation = 0x33
	opPrintf         operation = 0x34
	operationsListed           = opPrintf + 1
)

// support says whether an operation is evaluated.
type support uint8

const (
	supported support = iota
	// tracing operations record data of tracepoints or use their variables.
	tracing
	// floating operations are in the manual's list without a definition.
	floating
)

// properties are what is known of an operation before it is run.
type properties struct {
	// name is the manual's.
	name string
	// operand is how many bytes follow the operation, as an unsigned number,
	// the most significant byte first.
	operand int
	// pops and pushes are how many values it takes from the stack and puts
	// there; printf and pick take more, as their operands say.
	pops, pushes int
	support      support
}

// operations has an entry without a name for a byte that is none.
var operations = [operationsListed]properties{
	opFloat:         {"float", 0, 0, 0, floating},
	opAdd:           {"add", 0, 2, 1, supported},
	opSub:           {"sub", 0, 2, 1, supported},
	opMul:           {"mul", 0, 2, 1, supported},
	opDivSigned:     {"div_signed", 0, 2, 1, supported},
	opDivUnsigned:   {"div_unsigned", 0, 2, 1, supported},
	opRemSigned:     {"rem_signed", 0, 2, 1, supported},
	opRemUnsigned:   {"rem_unsigned", 0, 2, 1, supported},
	opLsh:           {"lsh", 0, 2, 1, supported},
	opRshSigned:     {"rsh_signed", 0, 2, 1, supported},
	opRshUnsigned:   {"rsh_unsigned", 0, 2, 1, supported},
	opTrace:         {"trace", 0, 2, 0, tracing},
	opTraceQuick:    {"trace_quick", 1, 1, 1, tracing},
	opLogNot:        {"log_not", 0, 1, 1, supported},
	opBitAnd:        {"bit_and", 0, 2, 1, supported},
	opBitOr:         {"bit_or", 0, 2, 1, supported},
	opBitXor:        {"bit_xor", 0, 2, 1, supported},
	opBitNot:        {"bit_not", 0, 1, 1, supported},
	opEqual:         {"equal", 0, 2, 1, supported},
	opLessSigned:    {"less_signed", 0, 2, 1, supported},
	opLessUnsigned:  {"less_unsigned", 0, 2, 1, supported},
	opExt:           {"ext", 1, 1, 1, supported},
	opRef8:          {"ref8", 0, 1, 1, supported},
	opRef16:         {"ref16", 0, 1, 1, supported},
	opRef32:         {"ref32", 0, 1, 1, supported},
	opRef64:         {"ref64", 0, 1, 1, supported},
	opRefFloat:      {"ref_float", 0, 1, 1, floating},
	opRefDouble:     {"ref_double", 0, 1, 1, floating},
	opRefLongDouble: {"ref_long_double", 0, 1, 1, floating},
	opLongToDouble:  {"l_to_d", 0, 1, 1, floating},
	opDoubleToLong:  {"d_to_l", 0, 1, 1, floating},
	opIfGoto:        {"if_goto", 2, 1, 0, supported},
	opGoto:          {"goto", 2, 0, 0, supported},
	opConst8:        {"const8", 1, 0, 1, supported},
	opConst16:       {"const16", 2, 0, 1, supported},
	opConst32:       {"const32", 4, 0, 1, supported},
	opConst64:       {"const64", 8, 0, 1, supported},
	opReg:           {"reg", 2, 0, 1, supported},
	opEnd:           {"end", 0, 0, 0, supported},
	opDup:           {"dup", 0, 1, 2, supported},
	opPop:           {"pop", 0, 1, 0, supported},
	opZeroExt:       {"zero_ext", 1, 1, 1, supported},
	opSwap:          {"swap", 0, 2, 2, supported},
	opGetVariable:   {"getv", 2, 0, 1, tracing},
	opSetVariable:   {"setv", 2, 1, 1, tracing},
	opTraceVariable: {"tracev", 2, 0, 1, tracing},
	opTraceString:   {"tracenz", 0, 2, 0, tracing},
	opTrace16:       {"trace16", 2, 1, 1, tracing},
	opPick:          {"pick", 1, 0, 1, supported},
	opRot:           {"rot", 0, 3, 3, supported},
	// The operand is the number of values; a string follows it.
	opPrintf: {"printf", 1, 2, 0, supported},
}
