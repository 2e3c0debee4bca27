-- fields @message | filter user.username = "kubernetes-admin"
SELECT toUnixTimestamp64Milli(time) AS t0, message AS s1, ptr AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND (kinds[indexOf(names, 'user.username')] = 1 AND has(texts, 'kubernetes-admin') AND texts[indexOf(names, 'user.username')] = 'kubernetes-admin')
ORDER BY time DESC;

-- fields @timestamp, verb, sourceIPs[0] | filter user.username = "user1" | sort @timestamp asc | limit 20
SELECT toUnixTimestamp64Milli(time) AS t0, kinds[indexOf(names, 'verb')] AS k1, texts[indexOf(names, 'verb')] AS s1, kinds[indexOf(names, 'sourceIPs.0')] AS k2, texts[indexOf(names, 'sourceIPs.0')] AS s2, ptr AS s3
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND (kinds[indexOf(names, 'user.username')] = 1 AND has(texts, 'user1') AND texts[indexOf(names, 'user.username')] = 'user1')
ORDER BY time ASC;

-- stats count(*) as n by user.username, verb
SELECT kinds[indexOf(names, 'user.username')] AS k0, texts[indexOf(names, 'user.username')] AS s0, kinds[indexOf(names, 'verb')] AS k1, texts[indexOf(names, 'verb')] AS s1, count() AS n
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
GROUP BY k0, s0, k1, s1;

-- filter @message like /secrets/ | stats count(*) as n
SELECT count() AS n
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND position(message, 'secrets') > 0
HAVING n > 0;

-- fields toMillis(stageTimestamp) - toMillis(requestReceivedTimestamp) as took | stats pct(took, 50), pct(took, 99), count(*) as n by bin(5m)
SELECT toUnixTimestamp64Milli(time) AS t0, kinds[indexOf(names, 'stageTimestamp')] AS k1, texts[indexOf(names, 'stageTimestamp')] AS s1, kinds[indexOf(names, 'requestReceivedTimestamp')] AS k2, texts[indexOf(names, 'requestReceivedTimestamp')] AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC');

-- filter objectRef.resource = "secrets" and verb in ["get", "list"] and responseStatus.code >= 400 | stats count(*) as n by user.username
SELECT kinds[indexOf(names, 'user.username')] AS k0, texts[indexOf(names, 'user.username')] AS s0, count() AS n
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND (kinds[indexOf(names, 'objectRef.resource')] = 1 AND has(texts, 'secrets') AND texts[indexOf(names, 'objectRef.resource')] = 'secrets')
  AND (kinds[indexOf(names, 'verb')] = 1 AND hasAny(texts, ['get', 'list']) AND texts[indexOf(names, 'verb')] IN ('get', 'list'))
  AND (kinds[indexOf(names, 'responseStatus.code')] != 0 AND numbers[indexOf(names, 'responseStatus.code')] >= 400)
GROUP BY k0, s0;

-- parse @message '"userAgent":"*"' as agent | stats count(*) as n by agent
SELECT if(isValidUTF8(message), extractGroups(message, '(?s:"userAgent":"(.*?)")'), arrayResize([message], 2)) AS x0, count() AS n
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
GROUP BY x0;

-- filter responseStatus.code = 403 | stats count(*) as n, count_distinct(sourceIPs.0) as from by user.username, bin(5m) | filter n > 20
SELECT toUnixTimestamp64Milli(time) - positiveModulo(toUnixTimestamp64Milli(time), 300000) AS t0, kinds[indexOf(names, 'user.username')] AS k1, texts[indexOf(names, 'user.username')] AS s1, kinds[indexOf(names, 'sourceIPs.0')] AS k2, texts[indexOf(names, 'sourceIPs.0')] AS s2, count() AS n
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND (kinds[indexOf(names, 'responseStatus.code')] != 0 AND numbers[indexOf(names, 'responseStatus.code')] = 403)
GROUP BY t0, k1, s1, k2, s2;

-- filter user.username not like /^(system|eks):/ and ispresent(impersonatedUser.username)
SELECT toUnixTimestamp64Milli(time) AS t0, message AS s1, ptr AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND (kinds[indexOf(names, 'user.username')] != 0 AND NOT (kinds[indexOf(names, 'user.username')] != 0 AND match(texts[indexOf(names, 'user.username')], '\\A(system|eks):')))
  AND kinds[indexOf(names, 'impersonatedUser.username')] != 0
ORDER BY time DESC;

-- filter responseStatus.code != 200 and not (verb = "watch" or verb = "list")
SELECT toUnixTimestamp64Milli(time) AS t0, message AS s1, ptr AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND kinds[indexOf(names, 'responseStatus.code')] != 0 AND NOT ((kinds[indexOf(names, 'responseStatus.code')] != 0 AND numbers[indexOf(names, 'responseStatus.code')] = 200))
  AND (NOT ((kinds[indexOf(names, 'verb')] = 1 AND has(texts, 'watch') AND texts[indexOf(names, 'verb')] = 'watch')) AND NOT ((kinds[indexOf(names, 'verb')] = 1 AND has(texts, 'list') AND texts[indexOf(names, 'verb')] = 'list')))
ORDER BY time DESC;

-- filter responseStatus.code in [401, "403", "Forbidden"] | fields @ingestionTime
SELECT toUnixTimestamp64Milli(time) AS t0, toUnixTimestamp64Milli(ingested) AS t1, ptr AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND ((kinds[indexOf(names, 'responseStatus.code')] != 0 AND numbers[indexOf(names, 'responseStatus.code')] IN (401, 403)) OR (kinds[indexOf(names, 'responseStatus.code')] = 1 AND hasAny(texts, ['Forbidden']) AND texts[indexOf(names, 'responseStatus.code')] IN ('Forbidden')))
ORDER BY time DESC;

-- filter annotations.`authorization.k8s.io/decision` = "allow" and user.username = 'it\'s'
SELECT toUnixTimestamp64Milli(time) AS t0, message AS s1, ptr AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND (kinds[indexOf(names, 'annotations.authorization.k8s.io/decision')] = 1 AND has(texts, 'allow') AND texts[indexOf(names, 'annotations.authorization.k8s.io/decision')] = 'allow')
  AND (kinds[indexOf(names, 'user.username')] = 1 AND has(texts, 'it\'s') AND texts[indexOf(names, 'user.username')] = 'it\'s')
ORDER BY time DESC;

-- filter isIpInSubnet(sourceIPs.0, "10.0.0.0/8") or verb = "get" | limit 5
SELECT toUnixTimestamp64Milli(time) AS t0, message AS s1, kinds[indexOf(names, 'sourceIPs.0')] AS k2, texts[indexOf(names, 'sourceIPs.0')] AS s2, kinds[indexOf(names, 'verb')] AS k3, texts[indexOf(names, 'verb')] AS s3, ptr AS s4
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
ORDER BY time DESC;

-- filter @message like /(?i)"name":"système/ and @logStream like "kube-apiserver-audit"
SELECT toUnixTimestamp64Milli(time) AS t0, message AS s1, ptr AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND position(CAST(stream, 'String'), 'kube-apiserver-audit') > 0
ORDER BY time DESC;
-- and here: a condition on @message

-- filter code < "b" and code > 3 and done and @timestamp > 1764000000000
SELECT toUnixTimestamp64Milli(time) AS t0, message AS s1, ptr AS s2
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1764000000001, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
  AND (kinds[indexOf(names, 'code')] = 1 AND texts[indexOf(names, 'code')] < 'b')
  AND (kinds[indexOf(names, 'code')] != 0 AND numbers[indexOf(names, 'code')] > 3)
  AND if(isNaN(numbers[indexOf(names, 'done')]), texts[indexOf(names, 'done')] NOT IN ('', 'false'), kinds[indexOf(names, 'done')] != 0 AND numbers[indexOf(names, 'done')] != 0)
ORDER BY time DESC;

-- filter toupper(verb) = "GET" | stats max(took), sum(took), avg(took) by bin(1w), @log
SELECT toUnixTimestamp64Milli(time) - positiveModulo(toUnixTimestamp64Milli(time), 86400000) AS t0, CAST(log, 'String') AS s1, kinds[indexOf(names, 'took')] AS k2, texts[indexOf(names, 'took')] AS s2, kinds[indexOf(names, 'verb')] AS k3, texts[indexOf(names, 'verb')] AS s3, count() AS n
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
GROUP BY t0, s1, k2, s2, k3, s3;
-- and here: a condition on verb

-- stats earliest(verb), pct(took, 90) by user.username
SELECT toUnixTimestamp64Milli(time) AS t0, kinds[indexOf(names, 'user.username')] AS k1, texts[indexOf(names, 'user.username')] AS s1, kinds[indexOf(names, 'verb')] AS k2, texts[indexOf(names, 'verb')] AS s2, kinds[indexOf(names, 'took')] AS k3, texts[indexOf(names, 'took')] AS s3
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC');

-- stats count(*)
SELECT count() AS n
FROM `events`
WHERE log = '111122223333:g'
  AND time >= fromUnixTimestamp64Milli(1763999940000, 'UTC')
  AND time <= fromUnixTimestamp64Milli(1764000300000, 'UTC')
HAVING n > 0;

