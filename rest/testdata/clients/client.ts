// Drives the server by types that were generated from its document: what compiles here is what callers can rely on.
import createClient from 'openapi-fetch';
import type { components, paths } from './api.js';

declare const process: { argv: string[]; exit(code: number): never };
const [, , baseUrl, key, authorId, tenantId] = process.argv;
const api = createClient<paths>({ baseUrl, headers: { 'x-api-key': key! } });

function must<T>(name: string, r: { data?: T; error?: unknown; response: Response }, status: number): T {
  if (r.response.status !== status) {
    console.log(name, r.response.status, JSON.stringify(r.error));
    process.exit(1);
  }
  return r.data as T;
}

const token = must('token', await api.POST('/auth/token'), 200);
const byToken = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token.token}` } });

const made: components['schemas']['Document'] = must('create', await api.POST('/documents', {
  body: { authorId: authorId!, title: 'Zebras', body: 'They run.', metadata: { a: 'b' }, tagIds: [1], path: 'a.b', longitude: 1, latitude: 2 },
}), 201);
const id = made.id;
must('read', await byToken.GET('/documents/{id}', { params: { path: { id } } }), 200);
const changed = must('update', await api.PUT('/documents/{id}', { params: { path: { id } }, body: { title: 'Okapis' } }), 200);
const found = must('search', await api.GET('/documents/search', { params: { query: { q: 'okapi', tagIds: [1, 2], limit: 5 } } }), 200);
const job = must('enqueue', await api.POST('/jobs', { body: { type: 'send_email', payload: { to: 'a@example.org' } }, params: { header: { 'Idempotency-Key': 'k' } } }), 201);
const jobs = must('jobs', await api.GET('/jobs', { params: { query: { status: 'pending', limit: 10 } } }), 200);
must('job', await api.GET('/jobs/{id}', { params: { path: { id: job.hashid } } }), 200);
const view = must('dashboard', await api.GET('/dashboard/{tenantId}', { params: { path: { tenantId: tenantId! }, query: { view: 'pivot', months: 3 } } }), 200);
const file = must('upload', await api.POST('/files', {
  body: { file: 'Bytes of a file.', uploaderId: authorId! },
  bodySerializer: (b) => {
    const form = new FormData();
    form.set('uploaderId', b.uploaderId);
    form.set('file', new Blob([b.file], { type: 'text/plain' }), 'notes.txt');
    return form;
  },
}), 201);
const record = must('file', await api.GET('/files/{id}', { params: { path: { id: file.id } } }), 200);
const whole: string = must('download', await api.GET('/files/{id}/content', { params: { path: { id: file.id } }, parseAs: 'text' }), 200);
const part: string = must('range', await api.GET('/files/{id}/content', { params: { path: { id: file.id }, header: { Range: 'bytes=0-4' } }, parseAs: 'text' }), 206);
const beyond = await api.GET('/files/{id}/content', { params: { path: { id: file.id }, header: { Range: 'bytes=99-' } }, parseAs: 'text' });
const linked = await (await fetch(record.downloadUrl!)).text();
must('remove', await api.DELETE('/files/{id}', { params: { path: { id: file.id } } }), 204);
must('delete', await api.DELETE('/documents/{id}', { params: { path: { id } } }), 204);
const gone = await api.GET('/documents/{id}', { params: { path: { id } } });

const well = changed.title === 'Okapis' && found.items[0]?.id === id && found.items[0].fts_rank > 0 && jobs.pagination.count === 1
  && record.sizeBytes === 16 && record.filename === 'notes.txt' && whole === 'Bytes of a file.' && part === 'Bytes' && linked === whole && beyond.response.status === 416
  && jobs.items[0]?.status === 'pending' && 'pivot' in view && gone.error?.code === 'NOT_FOUND' && gone.response.status === 404;
if (!well) {
  console.log(JSON.stringify({ changed, found, jobs, view, gone: gone.error }));
  process.exit(1);
}
console.log('all is well');
