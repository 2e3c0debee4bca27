// Package sts is the AWS Security Token Service: who am I, and temporary
// credentials.
//
// A session token is the session: sealed with a key that only the store knows,
// it carries whose it is and until when. Nothing is written when a role is
// assumed, and a restart forgets nobody. The access key id and the secret are
// derived from the token, so neither can be used with another. What a token says
// is checked against IAM at each use: a role that was deleted has no sessions,
// nor has a role made again under its name, for its unique id differs.
package sts
