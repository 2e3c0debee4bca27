// Package doortest makes accounts for the tests of services: IAM and STS over a
// store in memory, behind a real front door, so that the official SDK's clients are
// signed, authorized, answered and recorded as in the product. Only tests import it.
package doortest
