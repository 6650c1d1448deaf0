package hint

import _ "embed" // for Header

// Header is c/jump_patch.h, for programs that compile others.
//
//go:embed c/jump_patch.h
var Header string
