// Package ownpolicy keeps the policies that resources have of their own (topics,
// repositories), compiled: what a service answers with when the front door asks for a
// resource's policy (api.Service).
//
// A policy is kept as IAM stores it, with unique ids for users and roles, so that whoever
// has a name later is another. One that can't be read any more denies everything.
package ownpolicy
