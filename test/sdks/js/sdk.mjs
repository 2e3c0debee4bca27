// The AWS SDK for JavaScript v3 as a program in a pod has it: see ../doc.go.
import { S3Client, ListBucketsCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";

const [bucket, rounds, pause] = process.argv.slice(2);
const once = { maxAttempts: 1 };
const s3 = new S3Client(once), sts = new STSClient(once);
const code = (call) => call.then(() => "", (e) => e.name);

let first;
for (let i = 0; i < Number(rounds); i++) {
  if (i > 0) await new Promise((done) => setTimeout(done, Number(pause) * 1000));
  const said = { arn: (await sts.send(new GetCallerIdentityCommand())).Arn };
  said.buckets = (await s3.send(new ListBucketsCommand())).Buckets.map((b) => b.Name);
  said.put = await code(s3.send(new PutObjectCommand({ Bucket: bucket, Key: "no", Body: "no" })));
  const keys = await s3.config.credentials();
  said.key = keys.accessKeyId;
  if (first) said.old = await code(new STSClient({ ...once, credentials: first }).send(new GetCallerIdentityCommand()));
  first ??= { accessKeyId: keys.accessKeyId, secretAccessKey: keys.secretAccessKey, sessionToken: keys.sessionToken };
  console.log(JSON.stringify(said));
}
