package sns

import (
	"maps"
	"slices"
	"time"
)

// Notification is a message as a follower sees it.
type Notification struct {
	TopicARN, ID, Subject, Text string
	At                          time.Time
	Attributes                  map[string]Attribute
}

type follower struct{ fn func(Notification) }

// Follow calls fn with each message that a topic accepts, in order of publishers' calls,
// until stop. The topic need not be there yet. fn is called before a publisher is
// answered: it must be quick, and publish nothing itself.
func (s *Service) Follow(topic string, fn func(Notification)) (stop func()) {
	name, _ := topicOf(topic)
	f := &follower{fn}
	s.mu.Lock()
	s.followers[name] = append(s.followers[name], f)
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.followers[name] = slices.DeleteFunc(s.followers[name], func(x *follower) bool { return x == f })
		if len(s.followers[name]) == 0 {
			delete(s.followers, name)
		}
	}
}

// tell tells a topic's followers.
func (s *Service) tell(topic string, m *Message) {
	s.mu.Lock()
	following := slices.Clone(s.followers[topic])
	s.mu.Unlock()
	for _, f := range following {
		f.fn(Notification{TopicARN: s.arn(topic), ID: m.ID, Subject: m.Subject, Text: m.Text, At: m.At, Attributes: maps.Clone(m.Attributes)})
	}
}
