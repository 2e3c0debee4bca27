package eks

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"github.com/eksact/eksact/internal/store"
)

func TestFailedCreation(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.runtime.set(func(r *runtime) { r.startErr = errors.New("no addresses left") })
		c := w.create(t, ctx, "cluster")
		if c.Status != types.ClusterStatusFailed || len(c.Health.Issues) != 1 {
			t.Fatalf("status %s, issues %v", c.Status, c.Health.Issues)
		}
		if i := c.Health.Issues[0]; i.Code != types.ClusterIssueCodeInternalFailure || *i.Message != "no addresses left" || i.ResourceIds[0] != "cluster" {
			t.Errorf("issue %+v", i)
		}
		if err := w.WaitServing(ctx, "cluster"); err == nil || err.Error() != "cluster cluster is FAILED: no addresses left" {
			t.Errorf("waiting for it: %v", err)
		}
		time.Sleep(time.Hour)
		if got := w.runtime.seen(); !slices.Equal(got, []string{"start cluster"}) {
			t.Errorf("a failed cluster was touched again: %v", got)
		}
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("cluster")}); err != nil {
			t.Fatal(err)
		}
		settle()
		if _, ok := w.Cluster("cluster"); ok {
			t.Error("a failed cluster can't be deleted")
		}
	})
}

func TestDelete(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		name := aws.String("cluster")
		c := w.create(t, ctx, "cluster")
		w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("api") })
		out, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name})
		if err != nil || out.Cluster.Status != types.ClusterStatusDeleting || out.Cluster.Endpoint == nil {
			t.Fatalf("%+v, %v", out, err)
		}
		settle()
		_, err = w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: name})
		wantError(t, err, "ResourceNotFoundException", "No cluster found for name: cluster.")
		_, err = w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name})
		wantError(t, err, "ResourceNotFoundException", "No cluster found for name: cluster.")
		if n := len(w.runtime.running); n != 0 {
			t.Errorf("%d clusters run", n)
		}
		if _, ok := w.network.SecurityGroupVPC(*c.ResourcesVpcConfig.ClusterSecurityGroupId); ok {
			t.Error("the cluster security group is left")
		}
		if n := w.updates.Len(); n != 0 {
			t.Errorf("%d updates are left", n)
		}
		again := w.create(t, ctx, "cluster")
		if *again.Endpoint == *c.Endpoint {
			t.Error("a cluster made again has the old one's endpoint")
		}
	})
}

func TestDeleteWhileCreating(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.runtime.set(func(r *runtime) { r.hold = make(chan struct{}) }) // Start ends with its context only
		c := w.create(t, ctx, "cluster", func(in *eks.CreateClusterInput) { in.DeletionProtection = aws.Bool(true) })
		if c.Status != types.ClusterStatusCreating {
			t.Fatalf("status %s", c.Status)
		}
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("cluster")}); err != nil {
			t.Fatal(err)
		}
		settle()
		if got := w.runtime.seen(); !slices.Equal(got, []string{"start cluster", "stop cluster"}) {
			t.Errorf("calls %v", got)
		}
		if _, ok := w.Cluster("cluster"); ok {
			t.Error("it is still there")
		}
	})
}

func TestDeleteIsRetried(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		w.create(t, ctx, "cluster")
		w.runtime.set(func(r *runtime) { r.stopErr = errors.New("a process does not end") })
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("cluster")}); err != nil {
			t.Fatal(err)
		}
		settle()
		if c := w.describe(t, ctx, "cluster"); c.Status != types.ClusterStatusDeleting || *c.Health.Issues[0].Message != "a process does not end" {
			t.Errorf("status %s, issues %v", c.Status, c.Health.Issues)
		}
		time.Sleep(10 * time.Second) // tries at 0, 1, 3 and 7 s
		if n := len(w.runtime.seen()); n != 1+4 {
			t.Errorf("%d calls in 10 s: %v", n, w.runtime.seen())
		}
		w.runtime.set(func(r *runtime) { r.stopErr = nil })
		time.Sleep(lastRetry)
		settle()
		if _, ok := w.Cluster("cluster"); ok {
			t.Error("it is still there")
		}
	})
}

func TestDeleteRefused(t *testing.T) {
	inWorld(t, func(t *testing.T, ctx context.Context, w *world) {
		name := aws.String("cluster")
		w.create(t, ctx, "cluster", func(in *eks.CreateClusterInput) { in.DeletionProtection = aws.Bool(true) })
		_, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name})
		wantError(t, err, "InvalidRequestException", "Cannot delete cluster cluster because deletion protection is enabled. Disable it with UpdateClusterConfig first.")

		w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) { in.DeletionProtection = aws.Bool(false) })
		attached := func(fn func(store.TxTable[Nodegroup])) {
			if err := w.Store.Update(ctx, func(tx *store.Tx) error { fn(w.nodegroups.In(tx)); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		attached(func(all store.TxTable[Nodegroup]) { all.Put("cluster/ng", Nodegroup{Cluster: "cluster", Name: "ng"}) })
		_, err = w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name})
		wantError(t, err, "ResourceInUseException", "Cluster has nodegroups attached")
		attached(func(all store.TxTable[Nodegroup]) { all.Delete("cluster/ng") })

		w.runtime.set(func(r *runtime) { r.hold = make(chan struct{}) })
		u := w.update(t, ctx, "cluster", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("api") })
		_, err = w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name})
		wantError(t, err, "ResourceInUseException", "Cannot delete because cluster cluster currently has update "+*u.Id+" in progress")
	})
}

// A daemon that stops in the middle goes on where it stopped.
func TestResume(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.Store.Close()
		ctx := caller(alice, "AIDAALICE")
		run := func(test func()) {
			life, stop := context.WithCancel(ctx)
			done := make(chan struct{})
			go func() { w.Run(life); close(done) }()
			settle()
			test()
			stop()
			<-done
		}
		run(func() {
			w.create(t, ctx, "active")
			w.create(t, ctx, "updating")
			w.runtime.set(func(r *runtime) { r.hold = make(chan struct{}) })
			w.create(t, ctx, "creating")
			w.update(t, ctx, "updating", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("audit") })
		})
		if w.Serving("active") {
			t.Error("a cluster serves though nothing drives it")
		}
		w.runtime.set(func(r *runtime) { r.hold, r.calls, r.startErr = nil, nil, errors.New("etcd is down") })
		run(func() {
			c := w.describe(t, ctx, "active")
			if c.Status != types.ClusterStatusActive || *c.Health.Issues[0].Message != "etcd is down" {
				t.Errorf("an active cluster that can't start: %s, %v", c.Status, c.Health.Issues)
			}
			if c := w.describe(t, ctx, "creating"); c.Status != types.ClusterStatusFailed {
				t.Errorf("a new cluster that can't start: %s", c.Status)
			}
			waited := make(chan error)
			go func() { waited <- w.WaitServing(ctx, "active") }()
			settle()
			w.runtime.set(func(r *runtime) { r.startErr = nil })
			if err := <-waited; err != nil {
				t.Error(err)
			}
			settle()
			if c := w.describe(t, ctx, "active"); len(c.Health.Issues) != 0 || !w.Serving("active") {
				t.Errorf("after it started: %v", c.Health.Issues)
			}
		})
	})
}

func TestResumeUpdateAndDeletion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		defer w.Store.Close()
		ctx := caller(alice, "AIDAALICE")
		life, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { w.Run(life); close(done) }()
		w.create(t, ctx, "updating")
		w.create(t, ctx, "deleting")
		w.runtime.set(func(r *runtime) { r.hold = make(chan struct{}); r.stopErr = errors.New("busy") })
		u := w.update(t, ctx, "updating", func(in *eks.UpdateClusterConfigInput) { in.Logging = enable("audit") })
		if _, err := w.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("deleting")}); err != nil {
			t.Fatal(err)
		}
		settle()
		stop()
		<-done

		w.runtime.set(func(r *runtime) { r.hold, r.calls, r.stopErr = nil, nil, nil })
		life, stop = context.WithCancel(ctx)
		done = make(chan struct{})
		go func() { w.Run(life); close(done) }()
		settle()
		out, err := w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: aws.String("updating"), UpdateId: u.Id})
		if err != nil || out.Update.Status != types.UpdateStatusSuccessful {
			t.Errorf("the update: %+v, %v", out, err)
		}
		if c, _ := w.Cluster("updating"); c.Status != Active || !slices.Equal(c.Logging, []string{"audit"}) {
			t.Errorf("%s, logging %v", c.Status, c.Logging)
		}
		if _, ok := w.Cluster("deleting"); ok {
			t.Error("the deletion was forgotten")
		}
		calls := w.runtime.seen()
		slices.Sort(calls)
		if !slices.Equal(calls, []string{"logging updating", "start updating", "stop deleting"}) {
			t.Errorf("calls %v", calls)
		}
		stop()
		<-done
	})
}
