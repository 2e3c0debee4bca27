// Package gc is the setting of upstream's garbage collectors, which eksact-kube
// reads (cmd/eksact-kube/gc) and everyone who starts its programs gives.
package gc

// Default lets heaps grow freely while a program starts and keeps them small
// afterwards: "400% for 15 s, then 50%". A start on two cores is garbage
// collection as much as anything else; a running cluster is mostly idle.
const Default = "400,15s,50"

// Env is a setting as an environment variable.
func Env(setting string) string { return "EKSACT_GC=" + setting }
