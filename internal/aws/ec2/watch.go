package ec2

// WatchInstances calls fn for each instance there is and for each change, as store.Table's
// Watch does: fn must be quick and must not write to the store.
func (s *Service) WatchInstances(fn func(id string, old, new *Instance)) (stop func()) {
	return s.instances.Watch(fn)
}

// TemplateNames finds a launch template by its id or its name, one of which is "". One that
// isn't there, or has no such version, is EC2's error.
func (s *Service) TemplateNames(id, name, version string) (foundID, foundName string, err error) {
	t, _, err := s.templateVersion(pointer(id), pointer(name), version)
	return t.ID, t.Name, err
}
