// Package sns is Amazon Simple Notification Service: topics with policies, subscriptions
// by HTTP and HTTPS with filters, and messages that are signed, delivered and tried again.
//
//	Publish ── the caller's policies and the topic's ──► who follows, in the process
//	                                             └─────► a delivery for each subscription
//	                                                      that its filter lets through
//
// A delivery is a record, made in the transaction that accepts the message and deleted
// when the endpoint answered or gave no hope: what was accepted is delivered though the
// daemon is killed meanwhile, once or more often.
//
// Services of this process publish by PublishAs, which the topic's policy must let, and
// whoever wants to see a topic's messages here uses Follow.
//
// # What differs from SNS
//
//   - Protocols other than http and https, FIFO topics, encryption, delivery status
//     logging, data protection, archives, redrive to queues and throttling are refused by
//     name.
//   - Calls need signatures, save those that confirm and end a subscription.
package sns
