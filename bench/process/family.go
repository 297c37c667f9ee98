//go:build linux

package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// FamilyCPU is the processor time of a process and of those that it has started: of the living ones as CPU has it, of those
// that have ended in steps of 10 ms. Children of children are left out while they live.
func FamilyCPU(pid int) (time.Duration, error) {
	total, err := CPU(pid)
	if err != nil {
		return 0, err
	}
	own, err := readStat(pid)
	if err != nil {
		return 0, err
	}
	total += own.waitedFor
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, fmt.Errorf("processes: %w", err)
	}
	for _, folder := range folders {
		child, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue // no process
		}
		s, err := readStat(child)
		if err != nil || s.parent != pid {
			continue // it may have ended
		}
		if used, err := CPU(child); err == nil { // as above
			total += used
		}
	}
	return total, nil
}

// Files is how many files, connections among them, a process has open.
func Files(pid int) (int, error) {
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0, fmt.Errorf("open files: %w", err)
	}
	return len(all), nil
}

// stat is what proc(5) tells of a process in its file stat.
type stat struct {
	parent int
	// waitedFor is the processor time of children that have ended, and their children.
	waitedFor time.Duration
}

var errStat = errors.New("the status of a process is not as proc(5) has it")

func readStat(pid int) (stat, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, fmt.Errorf("status of a process: %w", err)
	}
	return parseStat(string(content))
}

func parseStat(content string) (stat, error) {
	// The second field, the name, is in brackets and may hold blanks and brackets; the third is the first behind it.
	const third, parent, userOfChildren, systemOfChildren = 3, 4, 16, 17
	const tick = 10 * time.Millisecond // sysconf(_SC_CLK_TCK) is 100 on every Linux that Go runs on
	fields := strings.Fields(content[strings.LastIndexByte(content, ')')+1:])
	if len(fields) <= systemOfChildren-third {
		return stat{}, errStat
	}
	var numbers [3]int
	for i, field := range []int{parent, userOfChildren, systemOfChildren} {
		number, err := strconv.Atoi(fields[field-third])
		if err != nil {
			return stat{}, fmt.Errorf("%w: %w", errStat, err)
		}
		numbers[i] = number
	}
	return stat{parent: numbers[0], waitedFor: time.Duration(numbers[1]+numbers[2]) * tick}, nil
}
