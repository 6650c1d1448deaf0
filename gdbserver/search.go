package gdbserver

import (
	"bytes"

	"rspd/rsp"
)

// blockSize is how many bytes are read at once where a request covers more than
// a reply could hold.
const blockSize = 1 << 16

// readable is memory to look through, such as a threads.AddressSpace.
type readable interface {
	// Read fills buffer from address on as far as memory can be read, and
	// tells how many bytes it has filled. The error says why there are none.
	Read(address uint64, buffer []byte) (int, error)
}

// searchMemory answers qSearch:memory.
func (s *session) searchMemory(request *rsp.SearchMemory) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	address, found, err := search(process.Memory(), request.Address, request.Length, request.Pattern)
	if err != nil {
		return nil, memoryFailure(err)
	}
	return rsp.Found{Found: found, Address: address}, nil
}

// checksumMemory answers qCRC.
func (s *session) checksumMemory(request *rsp.ChecksumMemory) (rsp.Reply, error) {
	process, err := s.process()
	if err != nil {
		return nil, err
	}
	sum, err := checksum(process.Memory(), request.Address, request.Length)
	if err != nil {
		return nil, memoryFailure(err)
	}
	return rsp.MemoryChecksum(sum), nil
}

// upToEnd is as much of a length as there is from address to the last one.
func upToEnd(address, length uint64) uint64 {
	if address != 0 {
		return min(length, -address)
	}
	return length
}

// search finds the first place of a pattern, which is not empty, that lies
// wholly in length bytes from address on. Where memory cannot be read the
// search ends with an error, if it has found nothing before.
func search(memory readable, address, length uint64, pattern []byte) (found uint64, ok bool, err error) {
	length = upToEnd(address, length)
	// What may be the beginning of a place stays for the next round.
	overlap := len(pattern) - 1
	buffer := make([]byte, overlap+blockSize)
	kept := 0
	for length > 0 {
		part := buffer[kept:min(uint64(len(buffer)), uint64(kept)+length)]
		n, err := memory.Read(address, part)
		if i := bytes.Index(buffer[:kept+n], pattern); i >= 0 {
			return address - uint64(kept) + uint64(i), true, nil
		}
		if n == 0 {
			return 0, false, err
		}
		address, length = address+uint64(n), length-uint64(n)
		rest := min(kept+n, overlap)
		copy(buffer, buffer[kept+n-rest:kept+n])
		kept = rest
	}
	return 0, false, nil
}

// checksumTable has what a byte does to a checksum.
var checksumTable = func() (table [256]uint32) {
	const polynomial = 0x04c11db7
	for i := range table {
		sum := uint32(i) << 24
		for range 8 {
			carry := sum >> 31
			sum = sum<<1 ^ carry*polynomial
		}
		table[i] = sum
	}
	return table
}()

// checksum is the CRC-32 of the GDB manual ("General Query Packets", qCRC):
// each byte's most significant bit first, the start 0xffffffff, and nothing
// done to the result, so that it is not that of hash/crc32.
func checksum(memory readable, address, length uint64) (uint32, error) {
	if upToEnd(address, length) != length {
		return 0, refusal("the memory would go on beyond the last address")
	}
	buffer := make([]byte, min(length, blockSize))
	sum := ^uint32(0)
	for length > 0 {
		n, err := memory.Read(address, buffer[:min(length, blockSize)])
		if n == 0 {
			return 0, err
		}
		for _, b := range buffer[:n] {
			sum = sum<<8 ^ checksumTable[byte(sum>>24)^b]
		}
		address, length = address+uint64(n), length-uint64(n)
	}
	return sum, nil
}
