//go:build linux

package scenario

import (
	"context"
	"fmt"
	"time"

	"rolecall/bench/load"
	"rolecall/bench/process"
	"rolecall/bench/report"
	"rolecall/bench/target"
)

const (
	companyPeople   = 10_000
	companySmall    = 10 // people
	companyParallel = 100
	companyTime     = 10 * time.Second
	companyCPU      = "CPU of one company's connect against ten people's"
	companyMemory   = "memory of one company's connection against ten people's"
	companyTook     = "all connected after s"
	companyMostCPU  = 1.5
	companyMostMem  = 1.2
)

func company() Scenario {
	return Scenario{
		Name: "company",
		Method: fmt.Sprintf("%d people connect and stay, %d at a time, with %d to a company, and to another server as many who are all of "+
			"one company: WebSocket from the start. Each is told of each: that is what the two differ in. The processor time is "+
			"the server's until it has come to rest, divided by the connects; the memory is what the process holds resident then, "+
			"less what it held before, divided by the connections.", companyPeople, companyParallel, companySmall),
		Servers: []target.Name{target.Rolecall, target.RolecallZishang520},
		workers: 1,
		columns: []string{"ten to a company: ms CPU each", "kB each", "one company: ms CPU each", "kB each", "all there after s"},
		run:     runCompany,
		bars: func(all results) []report.Bar {
			cpu, has := all.figure(target.Rolecall, companyCPU)
			memory, _ := all.figure(target.Rolecall, companyMemory)
			took, _ := all.figure(target.Rolecall, companyTook)
			return []report.Bar{
				report.AtMost(has, "rolecall: a connect costs, in one large company, at most so many times what it costs in a small one",
					"%.2f", cpu, companyMostCPU),
				report.AtMost(has, "rolecall: and a connection holds at most so many times the memory", "%.2f", memory, companyMostMem),
				report.AtMost(has, "rolecall: all of the company are connected within 10 s", "%.1f s", took, companyTime.Seconds()),
			}
		},
	}
}

func runCompany(ctx context.Context, b *Bench, r *rig) (result, error) {
	small, err := r.arrive(ctx, load.Open{Group: "small", Company: "small", CompanySize: companySmall, Network: "127.0.2"})
	if err != nil {
		return result{}, err
	}
	var large arrival
	err = b.withServer(ctx, r.server.Name, 1, target.Options{}, func(another *rig) (err error) {
		large, err = another.arrive(ctx, load.Open{Group: "large", Company: "large", Network: "127.0.3"})
		return err
	})
	if err != nil {
		return result{}, err
	}
	return result{
		cells: []string{fmt.Sprintf("%.2f", small.cpu), fmt.Sprintf("%.1f", small.memory), fmt.Sprintf("%.2f", large.cpu),
			fmt.Sprintf("%.1f", large.memory), fmt.Sprintf("%.1f", large.took.Seconds())},
		figures: map[string]float64{companyCPU: large.cpu / small.cpu, companyMemory: large.memory / small.memory,
			companyTook: large.took.Seconds()},
	}, nil
}

// arrival is what people who have connected cost.
type arrival struct {
	cpu    float64 // ms a connect
	memory float64 // kB a connection
	took   time.Duration
}

// arrive has people connect who stay, and waits until the server has come to rest.
func (r *rig) arrive(ctx context.Context, people load.Open) (arrival, error) {
	early := load.Open{Group: "early", Count: idleWarmUp, Role: "company", Company: "early", CompanySize: companySmall,
		Network: "127.0.1", Leave: true}
	if _, err := r.open(early); err != nil {
		return arrival{}, err
	}
	people.Server, people.Secret, people.Role = r.server.Addr().String(), target.Secret, "company"
	people.Count, people.Parallel = companyPeople, companyParallel
	held, err := r.restingMemory(ctx, 0)
	if err != nil {
		return arrival{}, err
	}
	used, err := process.CPU(r.server.PID())
	if err != nil {
		return arrival{}, err
	}
	began := time.Now()
	opened, err := r.crew.Open(people)
	took := time.Since(began)
	if err == nil && opened.Ready < companyPeople {
		err = fmt.Errorf("%d of %d lost: %s", opened.Lost, companyPeople, opened.FirstLoss)
	}
	if err != nil {
		return arrival{}, err
	}
	holds, err := r.restingMemory(ctx, 0)
	if err != nil {
		return arrival{}, err
	}
	uses, err := process.CPU(r.server.PID())
	return arrival{
		cpu: float64((uses - used).Microseconds()) / 1000 / companyPeople, memory: float64(holds-held) / 1000 / companyPeople, took: took,
	}, err
}
