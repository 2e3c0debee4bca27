package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// nap is how long the long-running pod sleeps: its process is known by it.
const nap = "98765432"

// pod makes a pod of one container.
func (c *callers) pod(m *machine, name string, grace int64, command ...string) {
	m.t.Helper()
	_, err := c.kube.CoreV1().Pods("default").Create(m.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			Containers:                    []corev1.Container{{Name: "c", Image: "busybox", ImagePullPolicy: corev1.PullIfNotPresent, Command: command}},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
}

// deaf is what a pod runs that does not heed SIGTERM.
var deaf = []string{"sh", "-c", "trap '' TERM; while :; do sleep 1; done"}

// life is by what a container is known to be the same.
func life(p *corev1.Pod) string {
	for _, s := range p.Status.ContainerStatuses {
		if s.State.Running != nil {
			return fmt.Sprintf("%s started %s, %d restarts", s.ContainerID, s.State.Running.StartedAt.UTC().Format(time.TimeOnly), s.RestartCount)
		}
	}
	return "not running"
}

// lives returns the life of every pod, by name.
func (c *callers) lives(m *machine) map[string]string {
	m.t.Helper()
	list, err := c.kube.CoreV1().Pods("").List(m.t.Context(), metav1.ListOptions{})
	if err != nil {
		m.t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range list.Items {
		all[p.Name] = life(&p)
	}
	return all
}

func (c *callers) awaitRunning(m *machine, names ...string) {
	m.t.Helper()
	for _, name := range names {
		m.eventually(30*time.Second, "pod "+name+" runs", func() bool {
			p, err := c.kube.CoreV1().Pods("default").Get(context.Background(), name, metav1.GetOptions{})
			return err == nil && p.Status.Phase == corev1.PodRunning && life(p) != "not running"
		})
	}
}

// sleeper finds the long-running pod's process on this machine.
func sleeper() (pid string) {
	commands, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range commands {
		if command, _ := os.ReadFile(path); strings.TrimSuffix(string(command), "\x00") == "sleep\x00"+nap {
			return filepath.Base(filepath.Dir(path))
		}
	}
	return ""
}
