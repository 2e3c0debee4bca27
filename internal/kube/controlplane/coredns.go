package controlplane

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
)

// CoreDNS is what can be set of the cluster's DNS.
type CoreDNS struct {
	Image    string
	Replicas int    // 0 means 2
	Corefile string // "" means EKS's
}

// Conflicts says what becomes of fields that others than EKS have set, as EKS's API
// spells it.
type Conflicts string

const (
	Fail      Conflicts = "NONE" // with a ConflictError; the default
	Overwrite Conflicts = "OVERWRITE"
	Preserve  Conflicts = "PRESERVE"
)

// ConflictError are fields that others have set.
type ConflictError struct {
	Fields []string // "Deployment.apps coredns - .spec.replicas"
}

func (e *ConflictError) Error() string { return "set by others: " + strings.Join(e.Fields, ", ") }

// objects are CoreDNS's, as a new EKS cluster has them but for what is set.
func (p *Plane) coreDNS(d CoreDNS) ([]*unstructured.Unstructured, error) {
	all, err := manifest("coredns.yaml", map[string]any{"Image": d.Image, "DNSAddress": p.dns})
	if err != nil {
		return nil, err
	}
	for _, o := range all {
		if o.GetKind() == "Deployment" && d.Replicas > 0 {
			err = errors.Join(err, unstructured.SetNestedField(o.Object, int64(d.Replicas), "spec", "replicas"))
		}
		if o.GetKind() == "ConfigMap" && d.Corefile != "" {
			err = errors.Join(err, unstructured.SetNestedField(o.Object, d.Corefile, "data", "Corefile"))
		}
	}
	return all, err
}

// ApplyCoreDNS makes the cluster's DNS what d says. Fields of its objects that others
// have set are treated as mode says.
func (p *Plane) ApplyCoreDNS(ctx context.Context, d CoreDNS, mode Conflicts) error {
	all, err := p.coreDNS(d)
	if err != nil {
		return err
	}
	return p.applySoftware(ctx, all, mode)
}

// applySoftware makes an add-on's objects what they are to be.
func (p *Plane) applySoftware(ctx context.Context, all []*unstructured.Unstructured, mode Conflicts) error {
	if mode != Overwrite && mode != Preserve {
		if err := p.refuseConflicts(ctx, all); err != nil {
			return err
		}
	}
	write := apply
	if mode == Preserve {
		write = applyAround
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, o := range all {
		g.Go(func() error { return p.persist(ctx, o, write) })
	}
	return g.Wait()
}

// refuseConflicts tries to apply all objects and lists what others have set.
func (p *Plane) refuseConflicts(ctx context.Context, all []*unstructured.Unstructured) error {
	var fields []string
	for _, o := range all {
		var found []string
		err := p.persist(ctx, o, func(ctx context.Context, r dynamic.ResourceInterface, o *unstructured.Unstructured) error {
			_, err := r.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: manager, DryRun: []string{metav1.DryRunAll}})
			if found = conflicting(err); len(found) > 0 {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		kind := o.GetKind()
		if group := o.GroupVersionKind().Group; group != "" {
			kind += "." + group
		}
		for _, field := range found {
			fields = append(fields, fmt.Sprintf("%s %s - %s", kind, o.GetName(), field))
		}
	}
	if len(fields) > 0 {
		return &ConflictError{fields}
	}
	return nil
}

// applyAround applies an object without the fields that others have set.
func applyAround(ctx context.Context, r dynamic.ResourceInterface, o *unstructured.Unstructured) error {
	o = o.DeepCopy()
	for {
		_, err := r.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: manager})
		fields := conflicting(err)
		if len(fields) == 0 {
			return err
		}
		for _, field := range fields {
			if !remove(o.Object, field) {
				return fmt.Errorf("field %s can't be left as it is: %w", field, err)
			}
		}
	}
}

// conflicting are the fields that an apply was refused for.
func conflicting(err error) []string {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	var fields []string
	for _, cause := range status.Status().Details.Causes {
		if cause.Type == metav1.CauseTypeFieldManagerConflict {
			fields = append(fields, cause.Field)
		}
	}
	return fields
}

// step is one part of a field's path: ".spec", or `[name="coredns"]` of a list.
var step = regexp.MustCompile(`^(?:\.([^.\[]+)|\[(\w+)="([^"]*)"[^\]]*\])`)

// remove takes a field out of an object, given its path as server-side apply writes
// it: .spec.template.spec.containers[name="coredns"].image. It is false when the path
// leads nowhere.
func remove(object map[string]any, path string) bool {
	var at any = object
	for {
		m := step.FindStringSubmatch(path)
		if m == nil {
			return false
		}
		path = path[len(m[0]):]
		switch here := at.(type) {
		case map[string]any:
			next, there := here[m[1]]
			if !there {
				return false
			}
			if path == "" {
				delete(here, m[1])
				return true
			}
			at = next
		case []any:
			at = nil
			for _, item := range here {
				if entry, ok := item.(map[string]any); ok && fmt.Sprint(entry[m[2]]) == m[3] {
					at = entry
				}
			}
		default:
			return false
		}
	}
}

// RemoveCoreDNS removes CoreDNS's objects, as far as they are there.
func (p *Plane) RemoveCoreDNS(ctx context.Context) error {
	all, err := p.coreDNS(CoreDNS{Image: "none"})
	if err != nil {
		return err
	}
	return p.removeSoftware(ctx, all)
}

func (p *Plane) removeSoftware(ctx context.Context, all []*unstructured.Unstructured) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, o := range all {
		g.Go(func() error {
			return p.persist(ctx, o, func(ctx context.Context, r dynamic.ResourceInterface, o *unstructured.Unstructured) error {
				background := metav1.DeletePropagationBackground
				err := r.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
				if apierrors.IsNotFound(err) {
					return nil
				}
				return err
			})
		})
	}
	return g.Wait()
}
