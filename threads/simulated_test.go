package threads

import (
	"rspd/threads/internal/simulation"
)

// simulated makes a simulated kernel one that a table can use.
type simulated struct{ *simulation.Kernel }

func (s simulated) OpenMemory(tid int) (Memory, error) {
	memory, err := s.Kernel.OpenMemory(tid)
	if err != nil {
		return nil, err
	}
	return memory, nil
}

var _ Kernel = simulated{}
