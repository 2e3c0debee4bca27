// Package etcd tests that eksact keeps its data in an etcd cluster elsewhere when
// it is told to: a plain etcd, over TLS with client certificates. See package lab.
package etcd
