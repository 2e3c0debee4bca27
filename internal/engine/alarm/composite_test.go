package alarm

import (
	"slices"
	"strings"
	"testing"
)

func TestComposites(t *testing.T) {
	states := map[string]State{"cpu": Alarm, "disk": OK, "net": InsufficientData, "arn:aws:cloudwatch:us-west-2:111122223333:alarm:cpu": Alarm, `a "b"`: OK, "OK": Alarm}
	state := func(name string) (State, bool) { s, ok := states[name]; return s, ok }
	for rule, want := range map[string]bool{
		`ALARM(cpu)`: true, `ALARM("disk")`: false, `OK(disk)`: true, `INSUFFICIENT_DATA ( net )`: true,
		`TRUE`: true, `FALSE`: false, `NOT FALSE`: true, `NOT NOT FALSE`: false,
		`ALARM(cpu) AND OK(disk)`: true, `ALARM(cpu) AND ALARM(disk)`: false, `ALARM(disk) OR ALARM(cpu)`: true,
		`ALARM(cpu) OR ALARM(cpu) AND FALSE`:                           true,
		`(ALARM(cpu) OR ALARM(cpu)) AND FALSE`:                         false,
		`NOT (ALARM(cpu) AND ALARM(disk))`:                             true,
		`NOT ALARM(disk) AND ALARM(cpu)`:                               true,
		`ALARM("arn:aws:cloudwatch:us-west-2:111122223333:alarm:cpu")`: true,
		`ALARM(arn:aws:cloudwatch:us-west-2:111122223333:alarm:cpu)`:   true,
		`OK("a \"b\"")`:                              true,
		`ALARM(gone)`:                                false,
		`ALARM(OK)`:                                  true,
		`AT_LEAST(1, ALARM, (cpu, disk, net))`:       true,
		`AT_LEAST(2, ALARM, (cpu, disk, net))`:       false,
		`AT_LEAST(2, NOT ALARM, (cpu, disk, "net"))`: true,
		`AT_LEAST(50%, OK, (cpu, disk))`:             true,
		`AT_LEAST(51%, OK, (cpu, disk))`:             false,
		`AT_LEAST(1, NOT OK, (gone))`:                false,
		"ALARM(cpu)\n AND\tNOT\nALARM(disk)":         true,
	} {
		c, err := ParseComposite(rule)
		if err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		if got := c.Eval(state); got != want {
			t.Errorf("%s is %v", rule, got)
		}
	}
}

func TestWhatIsNoRule(t *testing.T) {
	for rule, want := range map[string]string{
		``: "ends too early", `ALARM`: "ends too early", `ALARM(`: "ends too early", `ALARM()`: `")" at position 7`, `ALARM(a`: "ends too early",
		`ALARM(a))`: `")" at position 9`, `ALARM(a) ALARM(b)`: `"ALARM" at position 10`, `"ALARM"(a)`: `"ALARM" at position 1`,
		`alarm(a)`: `"alarm" at position 1`, `ALARM("a)`: "not closed", `ALARM(a) AND`: "ends too early", `AND ALARM(a)`: `"AND"`,
		`AT_LEAST(0, ALARM, (a))`: `"0" at position 10`, `AT_LEAST(2, ALARM, (a))`: "2 of 1", `AT_LEAST(101%, ALARM, (a))`: "101%",
		`AT_LEAST(1.5, ALARM, (a))`: "1.5", `AT_LEAST(1, RED, (a))`: `"RED"`, `AT_LEAST(1, ALARM, ())`: `")"`, `AT_LEAST(1, ALARM, a)`: `"a"`,
		`AT_LEAST(NaN, ALARM, (a))`:                                  "NaN",
		strings.Repeat("(", 200) + "TRUE" + strings.Repeat(")", 200): "nested", strings.Repeat(" ", 10241): "longer",
		strings.Repeat("TRUE OR ", 600) + "TRUE": "elements",
	} {
		if _, err := ParseComposite(rule); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", rule, err, want)
		}
	}
	var many []string
	for i := range 101 {
		many = append(many, "ALARM(a"+strings.Repeat("b", i)+")")
	}
	if _, err := ParseComposite(strings.Join(many, " OR ")); err == nil {
		t.Error("101 alarms are taken")
	}
}

func TestCycles(t *testing.T) {
	rules := map[string]string{"a": "ALARM(b) OR ALARM(m)", "b": "ALARM(c) AND ALARM(m)", "d": "ALARM(a)"}
	parsed := func(name string) (string, *Composite) {
		if rules[name] == "" {
			return name, nil
		}
		c, err := ParseComposite(rules[name])
		if err != nil {
			t.Fatal(err)
		}
		return name, c
	}
	for rule, want := range map[string][]string{"OK(d)": {"c", "d", "a", "b", "c"}, "OK(c)": {"c", "c"}, "OK(m)": nil} {
		c, err := ParseComposite(rule)
		if err != nil {
			t.Fatal(err)
		}
		if got := Cycle("c", c, parsed); !slices.Equal(got, want) {
			t.Errorf("c: %s: %v, want %v", rule, got, want)
		}
	}
}

func FuzzComposite(f *testing.F) {
	for _, s := range []string{`ALARM(a) AND NOT (OK("b") OR AT_LEAST(50%, NOT OK, (c, d)))`, `((`, `ALARM("\`, "TRUE"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, rule string) {
		c, err := ParseComposite(rule)
		if err != nil {
			return
		}
		asked := map[string]bool{}
		c.Eval(func(name string) (State, bool) { asked[name] = true; return OK, true })
		for name := range asked {
			if !slices.Contains(c.Children(), name) {
				t.Errorf("%q is asked for and no child of %q", name, rule)
			}
		}
	})
}
