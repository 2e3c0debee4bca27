package cloudwatch

import (
	"context"
	"time"

	"github.com/eksact/eksact/internal/engine/alarm"
	"github.com/eksact/eksact/internal/store"
)

// Tick evaluates all alarms as Run does at a full minute, Step those with short periods.
func (s *Service) Tick(ctx context.Context, now time.Time) { s.tick(ctx, now, true) }
func (s *Service) Step(ctx context.Context, now time.Time) { s.tick(ctx, now, false) }

// Look evaluates what is to be evaluated at once.
func (s *Service) Look(ctx context.Context) { s.look(ctx) }

// Settle does what Run does first.
func (s *Service) Settle(ctx context.Context) { s.settle(ctx) }

// CompactAt sets how many bytes a journal gets.
func (s *Service) CompactAt(bytes int64) { s.shelf.journal.most = bytes }

// Sets counts what is kept.
func (s *Service) Sets() int { return s.shelf.sets }

// Interrupted makes an alarm of one as if the process had ended before its actions.
func (s *Service) Interrupted(ctx context.Context, name string) {
	_ = s.Store.Update(ctx, func(tx *store.Tx) error {
		a, _ := s.alarms.In(tx).Get(name)
		a.Owed = &StateChange{Alarm: name, ARN: s.arn(name), At: s.Now(), From: a.State, To: alarm.Alarm, Reason: "interrupted"}
		a.State, a.Transitioned = alarm.Alarm, s.Now()
		s.alarms.In(tx).Put(name, a)
		return nil
	})
}
