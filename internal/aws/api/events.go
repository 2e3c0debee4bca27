package api

import "context"

// Events is what an operation answers whose output is a stream of events
// (https://smithy.io/2.0/aws/amazon-eventstream.html).
type Events struct {
	// Run sends events until the operation is over. An event is a pointer to the SDK's
	// struct of one of the stream's members. Send fails when the client is gone; ctx
	// ends then, too. An error that Run returns, and that the stream has a member for,
	// is said to the client.
	Run func(ctx context.Context, send func(event any) error) error
}
