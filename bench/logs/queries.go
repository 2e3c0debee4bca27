package main

import "fmt"

// queries are what every store is asked. Each store has them in its own language; their
// answers have to agree.
var queries = []struct {
	name     string
	insights string
}{
	{"1 what the admin did, newest first", `fields @message | filter user.username = "kubernetes-admin"`},
	{"2 what user1 did, newest first", `fields @message | filter user.username = "user1"`},
	{"3 count by user and verb", `stats count(*) as n by user.username, verb`},
	{"4 text search, counted", `filter @message like /secrets/ | stats count(*) as n`},
	{"5 p50 and p99 latency by 5 minutes", `fields toMillis(stageTimestamp) - toMillis(requestReceivedTimestamp) as took | stats pct(took, 50), pct(took, 99), count(*) as n by bin(5m)`},
	{"6 secrets refused, by user", `filter objectRef.resource = "secrets" and verb in ["get", "list"] and responseStatus.code >= 400 | stats count(*) as n by user.username`},
	{"7 parse user agents, counted", `parse @message '"userAgent":"*"' as agent | stats count(*) as n by agent`},
	{"8 the newest 100 of user1", `fields @message | filter user.username = "user1" | sort @timestamp desc | limit 100`},
	{"9 one request, by its id", `fields @message | filter auditID = "` + oneID + `"`},
}

// oneID is of the 100,000th event that is generated.
const oneID = "914fe49e-de0f-4650-aa99-1e1a2b42596d"

// limit is how many rows queries without groups give back.
const limit = 10_000

// An answer is what of a query's result has to agree between stores: how many rows or
// groups it has, and how many events the groups' counts sum up to.
type answer struct {
	Rows  int   `json:"rows"`
	Total int64 `json:"total"`
}

func (a answer) String() string { return fmt.Sprintf("%d rows, %d events", a.Rows, a.Total) }

// A store is one of those that are compared.
type store interface {
	// load takes the file in and leaves it as the store keeps it, below dir.
	load(file, dir string) error
	// open makes ready to ask, in a process of its own.
	open(file, dir string) error
	// ask runs a query to its end, all rows of the result read.
	ask(query int) (answer, error)
	// kept are the paths whose size is the store's.
	kept(file, dir string) []string
}
