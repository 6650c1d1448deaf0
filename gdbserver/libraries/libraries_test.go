package libraries

import (
	"debug/elf"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"rspd/gdbserver/program"
)

const empty = `<library-list-svr4 version="1.0"></library-list-svr4>`

const twoLibraries = `<library-list-svr4 version="1.0" main-lm="0xf7ffe2e0">` + vdso + libc + `</library-list-svr4>`

const vdso = `<library name="linux-vdso.so.1" lm="0xf7ffe8b0" l_addr="0xf7fc8000" l_ld="0xf7fc8440" lmid="0xf7ffd118"/>`

const libc = `<library name="/lib/libc.so.6" lm="0xf7fc0400" l_addr="0xf7dd4000" l_ld="0xf7fa6b60" lmid="0xf7ffd118"/>`

const onlyMain = `<library-list-svr4 version="1.0" main-lm="0xf7ffe2e0"></library-list-svr4>`

// dynamic is the dynamic section's part of a program header.
func dynamic(vaddr uint64) elf.Prog64 { return elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Vaddr: vaddr} }

func TestDocument(t *testing.T) {
	const otherDebug, thirdDebug = 0xf7ffd600, 0xf7ffd800
	const otherLdMap, otherLibMap = 0x5655a000, 0x5655b000

	for _, test := range []struct {
		name    string
		change  func(m *image, auxv []byte) []byte
		annex   string
		want    string
		problem string
	}{
		{name: "position-independent", want: twoLibraries},
		{
			name: "at its addresses",
			change: func(m *image, auxv []byte) []byte {
				m.headers(headersAt, elf.Prog64{Type: uint32(elf.PT_PHDR), Vaddr: headersAt}, elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: bias}, dynamic(dynamicAt))
				return auxv
			},
			want: twoLibraries,
		},
		{
			name: "without PT_PHDR, at its addresses",
			change: func(m *image, auxv []byte) []byte {
				m.headers(headersAt, elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: bias}, elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 0x3000, Vaddr: dynamicAt &^ 0xfff}, dynamic(dynamicAt))
				return auxv
			},
			want: twoLibraries,
		},
		{
			name: "without PT_PHDR, position-independent",
			change: func(m *image, auxv []byte) []byte {
				m.headers(headersAt, dynamic(dynamicFile), elf.Prog64{Type: uint32(elf.PT_LOAD)}, elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 0x3000, Vaddr: 0x3000})
				return auxv
			},
			want: twoLibraries,
		},
		{
			name: "moved down",
			change: func(m *image, auxv []byte) []byte {
				const file = bias + 0x1000000
				m.headers(headersAt, elf.Prog64{Type: uint32(elf.PT_PHDR), Vaddr: file + 0x40}, elf.Prog64{Type: uint32(elf.PT_LOAD), Vaddr: file}, dynamic(file+dynamicFile))
				return auxv
			},
			want: twoLibraries,
		},
		{
			name: "before DT_DEBUG is set",
			change: func(m *image, auxv []byte) []byte {
				m.words(dynamicAt, uint64(elf.DT_DEBUG), 0)
				return auxv
			},
			want: empty,
		},
		{
			name: "before the r_debug is set",
			change: func(m *image, auxv []byte) []byte {
				m.words(debugAt, 0, 0, 0, 0, 0, 0)
				return auxv
			},
			want: empty,
		},
		{
			name: "before the first link_map",
			change: func(m *image, auxv []byte) []byte {
				m.namespace(debugAt, 1, 0)
				return auxv
			},
			want: empty,
		},
		{
			name: "version 1 has no r_next",
			change: func(m *image, auxv []byte) []byte {
				m.words(debugAt+uint64(5*m.Size), otherDebug)
				m.namespace(otherDebug, 1, 0, object{otherLibMap, "/lib/other.so", 1, 2})
				return auxv
			},
			want: twoLibraries,
		},
		{
			name: "namespaces",
			change: func(m *image, auxv []byte) []byte {
				m.namespace(debugAt, 2, otherDebug, object{mainMap, "", bias, dynamicAt}, object{vdsoMap, "linux-vdso.so.1", 0xf7fc8000, 0xf7fc8440})
				m.namespace(otherDebug, 2, thirdDebug) // its libraries were closed
				m.namespace(thirdDebug, 2, 0, object{otherLibMap, "/lib/other.so", 0xf7000000, 0xf7003000}, object{otherLdMap, "/lib/ld.so", 0xf7f00000, 0xf7f01000})
				return auxv
			},
			want: `<library-list-svr4 version="1.0" main-lm="0xf7ffe2e0">` + vdso +
				`<library name="/lib/other.so" lm="0x5655b000" l_addr="0xf7000000" l_ld="0xf7003000" lmid="0xf7ffd800"/>` +
				`<library name="/lib/ld.so" lm="0x5655a000" l_addr="0xf7f00000" l_ld="0xf7f01000" lmid="0xf7ffd800"/></library-list-svr4>`,
		},
		{
			name:  "from one library on",
			annex: "start=f7fc0400;prev=f7ffe8b0;lmid=f7ffd118",
			want:  `<library-list-svr4 version="1.0">` + libc + `</library-list-svr4>`,
		},
		{
			name:  "from one library on, with other arguments and without lmid",
			annex: "lm;prev=F7FFE8B0;colour=blue;start=f7fc0400;",
			want:  `<library-list-svr4 version="1.0">` + strings.Replace(libc, "0xf7ffd118", "0x0", 1) + `</library-list-svr4>`,
		},
		{
			name:  "from the main program on",
			annex: "start=f7ffe2e0;lmid=f7ffd118",
			want:  `<library-list-svr4 version="1.0">` + vdso + libc + `</library-list-svr4>`,
		},
		{
			name:    "from one library on that comes after another",
			annex:   "start=f7fc0400;prev=10;lmid=f7ffd118",
			want:    empty,
			problem: "comes after the one at 0xf7ffe8b0, but comes after the one at 0x10",
		},
		{name: "a namespace alone is no start", annex: "lmid=1;prev=2", want: twoLibraries},
		{
			name: "names with special characters",
			change: func(m *image, auxv []byte) []byte {
				m.write(nameAt(vdsoMap), []byte("/a&b<c>\"d'\xff\x01\x00"))
				return auxv
			},
			want: strings.Replace(twoLibraries, "linux-vdso.so.1", "/a&amp;b&lt;c&gt;&#34;d&#39;\uFFFD\uFFFD", 1),
		},
		{
			name: "a library without a name",
			change: func(m *image, auxv []byte) []byte {
				m.write(nameAt(vdsoMap), []byte{0})
				return auxv
			},
			want: strings.Replace(twoLibraries, vdso, "", 1),
		},
		{
			name: "a name that cannot be read",
			change: func(m *image, auxv []byte) []byte {
				m.words(vdsoMap+uint64(m.Size), 0x10)
				return auxv
			},
			want:    strings.Replace(twoLibraries, vdso, "", 1),
			problem: "the name of the link_map at 0xf7ffe8b0 cannot be read: at 0x10: bad address",
		},
		{
			name: "a name that goes on into unmapped memory",
			change: func(m *image, auxv []byte) []byte {
				m.write(0x20000ff8, []byte("12345678"))
				m.words(vdsoMap+uint64(m.Size), 0x20000ff8)
				return auxv
			},
			want:    strings.Replace(twoLibraries, vdso, "", 1),
			problem: "the name of the link_map at 0xf7ffe8b0 cannot be read: at 0x20001000: bad address",
		},
		{
			name: "a name across two pages",
			change: func(m *image, auxv []byte) []byte {
				m.write(0x20000ff8, []byte("12345678901\x00"))
				m.words(vdsoMap+uint64(m.Size), 0x20000ff8)
				return auxv
			},
			want: strings.Replace(twoLibraries, "linux-vdso.so.1", "12345678901", 1),
		},
		{
			name: "a name without an end",
			change: func(m *image, auxv []byte) []byte {
				m.write(0x20000ff8, []byte(strings.Repeat("a", 10000)))
				m.words(vdsoMap+uint64(m.Size), 0x20000ff8)
				return auxv
			},
			want: strings.Replace(twoLibraries, "linux-vdso.so.1", strings.Repeat("a", 4095), 1),
		},
		{
			name: "a link_map across two pages",
			change: func(m *image, auxv []byte) []byte {
				const at = 0x20000ffc
				m.write(nameAt(at), []byte("/lib/x\x00"))
				m.words(at, 1, nameAt(at), 2, 0, vdsoMap)
				m.words(vdsoMap+uint64(3*m.Size), at)
				return auxv
			},
			want: strings.Replace(twoLibraries, libc, `<library name="/lib/x" lm="0x20000ffc" l_addr="0x1" l_ld="0x2" lmid="0xf7ffd118"/>`, 1),
		},
		{
			name: "l_next leads nowhere",
			change: func(m *image, auxv []byte) []byte {
				m.words(vdsoMap+uint64(3*m.Size), 0x10)
				return auxv
			},
			want:    strings.Replace(twoLibraries, libc, "", 1),
			problem: "the link_map at 0x10 cannot be read",
		},
		{
			name: "l_prev contradicts",
			change: func(m *image, auxv []byte) []byte {
				m.words(libcMap+uint64(4*m.Size), mainMap)
				return auxv
			},
			want:    strings.Replace(twoLibraries, libc, "", 1),
			problem: "comes after",
		},
		{
			name: "a ring",
			change: func(m *image, auxv []byte) []byte {
				m.words(libcMap+uint64(3*m.Size), mainMap)
				m.words(mainMap+uint64(4*m.Size), libcMap)
				return auxv
			},
			want:    twoLibraries,
			problem: "comes back to the link_map at 0xf7ffe2e0",
		},
		{
			name: "a ring, from one library on",
			change: func(m *image, auxv []byte) []byte {
				m.words(libcMap+uint64(3*m.Size), vdsoMap)
				m.words(vdsoMap+uint64(4*m.Size), libcMap)
				return auxv
			},
			annex:   "start=f7ffe8b0;prev=f7fc0400;lmid=f7ffd118",
			want:    `<library-list-svr4 version="1.0">` + vdso + libc + `</library-list-svr4>`,
			problem: "comes back to the link_map at 0xf7ffe8b0",
		},
		{
			name: "a ring of namespaces",
			change: func(m *image, auxv []byte) []byte {
				m.write(debugAt, program.ByteOrder.AppendUint32(nil, 2))
				m.words(debugAt+uint64(5*m.Size), otherDebug)
				m.namespace(otherDebug, 2, debugAt)
				return auxv
			},
			want:    twoLibraries,
			problem: "comes back to the r_debug at 0xf7ffd118",
		},
		{
			name: "r_next leads nowhere",
			change: func(m *image, auxv []byte) []byte {
				m.write(debugAt, program.ByteOrder.AppendUint32(nil, 2))
				m.words(debugAt+uint64(5*m.Size), 0x10)
				return auxv
			},
			want:    twoLibraries,
			problem: "the r_debug at 0x10 cannot be read",
		},
		{
			name: "r_map leads nowhere",
			change: func(m *image, auxv []byte) []byte {
				m.unmap(mainMap)
				return auxv
			},
			want:    onlyMain,
			problem: "the main program's link_map at 0xf7ffe2e0 cannot be read",
		},
		{
			name: "DT_DEBUG leads nowhere",
			change: func(m *image, auxv []byte) []byte {
				m.unmap(debugAt)
				return auxv
			},
			want:    empty,
			problem: "the r_debug at 0xf7ffd118 cannot be read",
		},
		{
			name: "a version below 0",
			change: func(m *image, auxv []byte) []byte {
				m.write(debugAt, program.ByteOrder.AppendUint32(nil, 0xffffffff))
				return auxv
			},
			want:    empty,
			problem: "has the version -1",
		},
	} {
		for _, word := range []int{8, 4} {
			t.Run(fmt.Sprintf("%s/%d bits", test.name, 8*word), func(t *testing.T) {
				m, auxv := pie(word)
				if test.change != nil {
					auxv = test.change(m, auxv)
				}
				list, err := Read(m, auxv, test.annex)
				if err != nil {
					t.Fatal(err)
				}
				if got := string(list.Document()); got != test.want {
					t.Errorf("got  %s\nwant %s", got, test.want)
				}
				switch {
				case test.problem == "" && list.Problem != nil:
					t.Errorf("problem: %v", list.Problem)
				case test.problem != "" && (list.Problem == nil || !strings.Contains(list.Problem.Error(), test.problem)):
					t.Errorf("problem %v, want one of %q", list.Problem, test.problem)
				}
				if got, err := Document(m, auxv, test.annex); err != nil || string(got) != test.want {
					t.Errorf("Document: %s, %v", got, err)
				}
			})
		}
	}
}

func TestDocumentFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(m *image, auxv []byte) []byte
		annex  string
		want   string
		noList bool
	}{
		{
			name: "no PT_DYNAMIC",
			change: func(m *image, auxv []byte) []byte {
				m.headers(headersAt, elf.Prog64{Type: uint32(elf.PT_PHDR), Vaddr: 0x40}, elf.Prog64{Type: uint32(elf.PT_LOAD)}, elf.Prog64{})
				return auxv
			},
			want: "DT_DEBUG", noList: true,
		},
		{
			name: "no DT_DEBUG",
			change: func(m *image, auxv []byte) []byte {
				m.words(dynamicAt, uint64(elf.DT_NEEDED), 1, uint64(elf.DT_NULL), 0, uint64(elf.DT_DEBUG), debugAt)
				return auxv
			},
			want: "DT_DEBUG", noList: true,
		},
		{
			name: "neither PT_PHDR nor the first page",
			change: func(m *image, auxv []byte) []byte {
				m.headers(headersAt, elf.Prog64{}, elf.Prog64{Type: uint32(elf.PT_LOAD), Off: 0x3000, Vaddr: 0x3000}, dynamic(dynamicFile))
				return auxv
			},
			want: "neither PT_PHDR nor",
		},
		{
			name: "program headers that cannot be read",
			change: func(m *image, auxv []byte) []byte {
				m.unmap(headersAt)
				return auxv
			},
			want: "the program headers cannot be read: at 0x56555040: bad address",
		},
		{
			name: "a dynamic section that cannot be read",
			change: func(m *image, auxv []byte) []byte {
				m.unmap(dynamicAt)
				return auxv
			},
			want: "dynamic section cannot be read: at 0x56558d90: bad address",
		},
		{
			name: "a dynamic section without an end",
			change: func(m *image, auxv []byte) []byte {
				m.write(dynamicAt, []byte(strings.Repeat("\x01", maxDynamic)))
				return auxv
			},
			want: "has no end within",
		},
		{
			name:   "too many program headers",
			change: func(m *image, auxv []byte) []byte { return m.auxv(headersAt, 5000) },
			want:   "5000 program headers",
		},
		{
			name:   "no program headers",
			change: func(m *image, auxv []byte) []byte { return m.auxv(headersAt, 0) },
			want:   "does not tell where its program headers are",
		},
		{
			name:   "no auxiliary vector",
			change: func(m *image, auxv []byte) []byte { return nil },
			want:   "auxiliary vector of 0 bytes",
		},
		{
			name: "no size of program headers",
			change: func(m *image, auxv []byte) []byte {
				return m.appendWords(nil, program.AtPhdr, headersAt, program.AtPhnum, 3, program.AtNull, 0)
			},
			want: "no AT_PHENT",
		},
		{name: "an annex that is no number", annex: "start=f7fg", want: `"start=f7fg" of the library list is not an address`},
		{name: "an annex without a number", annex: "start=", want: `"start="`},
		{name: "an annex of 65 bits", annex: "lmid=1ffffffffffffffff", want: `"lmid=1`},
	} {
		for _, word := range []int{8, 4} {
			t.Run(fmt.Sprintf("%s/%d bits", test.name, 8*word), func(t *testing.T) {
				m, auxv := pie(word)
				if test.change != nil {
					auxv = test.change(m, auxv)
				}
				document, err := Document(m, auxv, test.annex)
				if err == nil || !strings.Contains(err.Error(), test.want) || errors.Is(err, ErrNoList) != test.noList {
					t.Errorf("got %s, %v, want an error with %q", document, err, test.want)
				}
			})
		}
	}
}

func TestDebugBase(t *testing.T) {
	for _, word := range []int{8, 4} {
		m, auxv := pie(word)
		if got, err := DebugBase(m, auxv); got != debugAt || err != nil {
			t.Errorf("%d bits: got %#x, %v, want %#x", 8*word, got, err, debugAt)
		}
		if got, err := DebugBase(m, auxv[:4]); err == nil {
			t.Errorf("%d bits: got %#x from a short auxiliary vector", 8*word, got)
		}
	}
}

func TestReadsAreFew(t *testing.T) {
	m, auxv := pie(8)
	var objects []object
	for i := range uint64(40) {
		objects = append(objects, object{0x7f0000000000 + i*0x800, "/lib/libc.so.6", 1, 2})
	}
	m.namespace(debugAt, 1, 0, objects...)
	list, err := Read(m, auxv, "")
	if err != nil || list.Problem != nil || len(list.Libraries) != 39 {
		t.Fatalf("%d libraries, %v, %v", len(list.Libraries), err, list.Problem)
	}
	// Two link_maps with their names fill a page; headers, dynamic section
	// and r_debug have one each.
	if m.reads > 20+3 {
		t.Errorf("%d reads for 40 link_maps in 20 pages", m.reads)
	}
}

// endless is a memory in which every multiple of 0x1000 from listsAt on is a
// link_map between two others, and from debugsAt on an r_debug before another.
type endless struct {
	*image
	nameLength int
}

const (
	listsAt  = 0x100000000
	debugsAt = 0x900000000
)

func (m endless) Read(address uint64, buffer []byte) (int, error) {
	if address < listsAt {
		return m.image.Read(address, buffer)
	}
	one := newImage(8)
	page := address &^ 0xfff
	if address < debugsAt {
		one.write(page+0x30, []byte(strings.Repeat("n", m.nameLength)+"\x00"))
		one.words(page, 1, page+0x30, 2, page+0x1000, page-0x1000)
	} else {
		one.words(page, 2, 0, 0, 0, 0, page+0x1000)
	}
	return one.Read(address, buffer)
}

func TestEndless(t *testing.T) {
	for _, test := range []struct {
		name    string
		debug   uint64
		names   int
		atLeast int
		problem string
	}{
		{name: "libraries", names: 1, atLeast: maxLinkMaps - 1, problem: "more than 32768 libraries"},
		{name: "names", names: 4000, atLeast: maxNameBytes/4000 - 1, problem: "names of the libraries have more than"},
		{name: "namespaces", debug: debugsAt, problem: "more than 256 namespaces"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, auxv := pie(8)
			memory := endless{m, test.names}
			annex := fmt.Sprintf("start=%x;prev=%x", listsAt+0x1000, listsAt)
			if test.debug != 0 {
				m.words(dynamicAt, uint64(elf.DT_DEBUG), test.debug)
				annex = ""
			}
			start := time.Now()
			list, err := Read(memory, auxv, annex)
			if err != nil || list.Problem == nil || !strings.Contains(list.Problem.Error(), test.problem) || len(list.Libraries) < test.atLeast {
				t.Errorf("%d libraries, %v, problem %v", len(list.Libraries), err, list.Problem)
			}
			t.Logf("%d libraries in %v, document of %d bytes", len(list.Libraries), time.Since(start), len(list.Document()))
		})
	}
}

func FuzzDocument(f *testing.F) {
	for _, word := range []int{8, 4} {
		m, auxv := pie(word)
		var content []byte
		for _, at := range []uint64{headersAt, dynamicAt, debugAt, mainMap, libcMap} {
			content = append(content, m.pages[at&^0xfff][:]...)
		}
		f.Add(content, auxv, "")
		f.Add(content, auxv, "start=f7fc0400;prev=f7ffe8b0;lmid=f7ffd118")
	}
	// The five pages of pie are content; all others are none.
	f.Fuzz(func(t *testing.T, content, auxv []byte, annex string) {
		m := newImage(8)
		for _, at := range []uint64{headersAt, dynamicAt, debugAt, mainMap, libcMap} {
			p := new([pageSize]byte)
			content = content[copy(p[:], content):]
			m.pages[at&^0xfff] = p
		}
		document, err := Document(m, auxv, annex)
		if err != nil {
			if document != nil {
				t.Errorf("both %q and %v", document, err)
			}
			return
		}
		var root struct {
			XMLName   xml.Name `xml:"library-list-svr4"`
			Libraries []struct {
				Name string `xml:"name,attr"`
			} `xml:"library"`
		}
		if err := xml.Unmarshal(document, &root); err != nil {
			t.Fatalf("%v: %q", err, document)
		}
		if len(root.Libraries) > maxLinkMaps {
			t.Errorf("%d libraries", len(root.Libraries))
		}
		for _, l := range root.Libraries {
			if l.Name == "" {
				t.Errorf("a library without a name: %q", document)
			}
		}
	})
}
