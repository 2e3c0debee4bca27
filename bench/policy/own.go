package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/eksact/eksact/internal/engine/policy"
)

// owned are figures of ours that no peer has.
type owned struct {
	parse, compile, join float64 // microseconds a statement, of 10 × 20
	sets                 []footprint
}

// footprint is what a set of policies takes.
type footprint struct {
	name       string
	documents  []string
	statements int
	prepare    float64 // microseconds from the texts to a program
	all        float64 // bytes of the program, its policies and their parse trees
	program    float64 // bytes of the program alone
}

// managedPolicies is where AWS's own documents are.
const managedPolicies = "../../internal/aws/iam/managed/policies.json"

func newOwned() (*owned, error) {
	o := &owned{sets: []footprint{{name: "10 × 20", documents: documents(tenOf, twenty, wild)}}}
	for _, name := range []string{"AdministratorAccess", "ReadOnlyAccess"} {
		text, err := managedPolicy(name)
		if err != nil {
			return nil, err
		}
		o.sets = append(o.sets, footprint{name: name, documents: []string{text}})
	}
	return o, nil
}

// measure measures once more; the least counts.
func (o *owned) measure() error {
	if err := o.measureSteps(o.sets[0].documents); err != nil {
		return err
	}
	for i := range o.sets {
		if err := o.sets[i].measure(); err != nil {
			return err
		}
	}
	return nil
}

// measureSteps times the way from texts to a program, step by step.
func (o *owned) measureSteps(texts []string) (err error) {
	docs := make([]*policy.Document, len(texts))
	sources := make([]policy.Source, len(texts))
	statement := func(least *float64, steps func()) { lessMicroseconds(least, tenOf*twenty, steps) }
	statement(&o.parse, func() {
		for i := range texts {
			docs[i], err = policy.Parse(policy.Inline, texts[i])
		}
	})
	if err != nil {
		return err
	}
	statement(&o.compile, func() {
		for i := range docs {
			sources[i] = policy.Source{Policy: policy.Compile(docs[i])}
		}
	})
	statement(&o.join, func() { policy.NewProgram(sources...) })
	return nil
}

// managedPolicy is the document of an AWS managed policy.
func managedPolicy(name string) (string, error) {
	text, err := os.ReadFile(managedPolicies)
	if err != nil {
		return "", err
	}
	var list []struct {
		ARN      string
		Document json.RawMessage
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return "", fmt.Errorf("%s: %w", managedPolicies, err)
	}
	for _, p := range list {
		if p.ARN == "arn:aws:iam::aws:policy/"+name {
			return string(p.Document), nil
		}
	}
	return "", fmt.Errorf("%s has no %s", managedPolicies, name)
}

func (f *footprint) measure() error {
	var sources []policy.Source
	f.statements = 0
	for _, text := range f.documents {
		doc, err := policy.Parse(policy.Managed, text)
		if err != nil {
			return err
		}
		f.statements += len(doc.Statements)
		sources = append(sources, policy.Source{Policy: policy.Compile(doc)})
	}
	lessMicroseconds(&f.prepare, 1, func() { _, _ = programOf(f.documents) })
	f.program = held(func() any { return policy.NewProgram(sources...) })
	f.all = held(func() any { p, _ := programOf(f.documents); return p })
	runtime.KeepAlive(sources)
	return nil
}

// lessMicroseconds is the least that f takes for one of n, of several times, if it
// is less than before.
func lessMicroseconds(least *float64, n float64, f func()) {
	for begun := time.Now(); time.Since(begun) < 100*time.Millisecond; {
		from := time.Now()
		f()
		if took := float64(time.Since(from).Nanoseconds()) / 1e3 / n; *least == 0 || took < *least {
			*least = took
		}
	}
}

// held is the memory that what f makes holds, of the mean of several.
func held(f func() any) float64 {
	kept := make([]any, 64)
	f()
	before := heap()
	for i := range kept {
		kept[i] = f()
	}
	after := heap()
	runtime.KeepAlive(kept)
	return float64(after-before) / float64(len(kept))
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
