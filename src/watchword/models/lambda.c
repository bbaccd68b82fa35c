/* The temporal lambda layer in training: from what its projection returns to its output, and back.
 *
 * In come rows z (clips, frames, row); a row holds a frame's queries (depth, heads), values (width)
 * and keys (depth). Out go rows y (clips, frames, width, heads). Queries and values are normalised
 * over the batch first. All that is made of a clip stays in the cache until the next clip, which
 * makes this several times faster than a chain of array operations. The arithmetic is that of
 * TemporalLambda in layers.py, and tests hold the two against each other.
 *
 * Rows of vectors are padded with zeros to whole blocks of 16 floats. Sizes are passed down as
 * constants where they are those of our networks, so that inner loops are unrolled.
 */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LANES 16
#define BLOCKS(x) (((x) + LANES - 1) / LANES)
#define INLINE static inline __attribute__((always_inline))
typedef float vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

/* As native sizes in fused.py. */
typedef struct {
    long clips, frames, heads, depth, width, scope, is_unit, threads;
    float eps;
} Sizes;

/* Heads, and blocks in a row of width, scope and depth. */
typedef struct { long heads, width, scope, depth; } Blocks;

/* What a thread works on: clips from first to last. */
typedef struct {
    Sizes s;
    const float *z, *mean, *variance, *gain, *offset, *embedding; /* embedding (depth, scope) */
    float *y;                                                     /* forward */
    const float *g; /* backward: gradient of y, and gradients of the others, three of them sums */
    float *dz, *dgain, *doffset, *dembedding;
    long first, last;
    int is_failed;
} Work;

/* Arrays of a thread; what begins with d is a gradient. */
typedef struct {
    float *scale, *shift, *taps, *turned;                    /* of the layer, see prepare() */
    float *u, *norms, *values, *keys, *content;              /* of a clip, see load() */
    float *across, *content_turned, *dvalues, *dcontent, *dcontent_turned; /* of a clip, backward */
    float *weights, *grad, *dweights;                        /* of a frame, by heads */
    float *dtaps, *all;
} Room;

INLINE long row_of(Sizes s) { return s.depth * s.heads + s.width + s.depth; }
INLINE long normed_of(Sizes s) { return s.depth * s.heads + s.width; }
INLINE long padded_frames(Sizes s) { return s.frames + s.scope - 1; }
INLINE long across_of(Sizes s) { return padded_frames(s) + BLOCKS(s.scope) * LANES; }

/* Row i of rows of so many blocks. */
INLINE float *floats_at(float *rows, long blocks, long i) { return rows + i * blocks * LANES; }
INLINE vec *at(float *rows, long blocks, long i) { return (vec *)floats_at(rows, blocks, i); }

INLINE void add(vec *to, float times, const vec *from, long blocks) {
    for (long i = 0; i < blocks; i++) to[i] += times * from[i];
}

/* Add a row of each head, each times its own number; the sum stays in registers. */
INLINE void add_heads(vec *to, const float *times, long step, const vec *from, long heads,
                      long blocks) {
    for (long i = 0; i < blocks; i++) {
        vec sum = to[i];
        for (long h = 0; h < heads; h++) sum += times[h * step] * from[h * blocks + i];
        to[i] = sum;
    }
}

static int make_room(Room *r, Sizes s) {
    const long rs = BLOCKS(s.scope) * LANES, vs = BLOCKS(s.width) * LANES;
    const long ks = BLOCKS(s.depth) * LANES, all = padded_frames(s);
    struct {
        float **array;
        long floats;
    } parts[] = {
        {&r->scale, row_of(s)},        {&r->shift, row_of(s)},
        {&r->taps, s.depth * rs},      {&r->turned, s.scope * ks},
        {&r->u, s.frames * row_of(s)}, {&r->norms, s.frames * s.heads},
        {&r->values, all * vs},        {&r->keys, s.frames * s.depth},
        {&r->content, s.depth * vs},   {&r->across, s.width * across_of(s)},
        {&r->dvalues, all * vs},       {&r->content_turned, s.width * ks},
        {&r->dcontent, s.depth * vs},  {&r->dcontent_turned, s.width * ks},
        {&r->weights, s.heads * rs},   {&r->grad, s.heads * vs},
        {&r->dweights, s.heads * rs},  {&r->dtaps, s.depth * rs},
    };
    const long many = sizeof parts / sizeof *parts;
    long total = 0;
    for (long i = 0; i < many; i++) total += BLOCKS(parts[i].floats) * LANES;
    float *next = r->all = calloc(total, sizeof(float));
    for (long i = 0; next && i < many; i++) {
        *parts[i].array = next;
        next += BLOCKS(parts[i].floats) * LANES;
    }
    return next != 0;
}

/* The normalisation as scale and shift of each column, and both layouts of the embedding. */
static void prepare(Room *r, const Work *w) {
    const Sizes s = w->s;
    for (long i = 0; i < row_of(s); i++) r->scale[i] = 1; /* keys are not normalised */
    for (long i = 0; i < normed_of(s); i++) {
        r->scale[i] = w->gain[i] / sqrtf(w->variance[i] + s.eps);
        r->shift[i] = w->offset[i] - w->mean[i] * r->scale[i];
    }
    for (long k = 0; k < s.depth; k++)
        for (long j = 0; j < s.scope; j++) {
            r->taps[k * BLOCKS(s.scope) * LANES + j] = w->embedding[k * s.scope + j];
            r->turned[j * BLOCKS(s.depth) * LANES + k] = w->embedding[k * s.scope + j];
        }
}

/* Divide the query of each head by its root mean square; its inverse is kept. */
INLINE void bound_queries(float *q, float *norms, Sizes s, const long heads) {
    for (long h = 0; h < heads; h++) {
        float square = 0;
        for (long k = 0; k < s.depth; k++) square += q[k * heads + h] * q[k * heads + h];
        norms[h] = sqrtf(s.depth / (square > 1e-24f ? square : 1e-24f));
        for (long k = 0; k < s.depth; k++) q[k * heads + h] *= norms[h];
    }
}

/* The softmax of each key over the frames. */
INLINE void soften_keys(Room *r, Sizes s) {
    const long row = row_of(s);
    const float *first = r->u + normed_of(s);
    float most[s.depth], sum[s.depth];
    for (long k = 0; k < s.depth; k++) most[k] = first[k], sum[k] = 0;
    for (long n = 1; n < s.frames; n++)
        for (long k = 0; k < s.depth; k++)
            most[k] = first[n * row + k] > most[k] ? first[n * row + k] : most[k];
    for (long n = 0; n < s.frames; n++)
        for (long k = 0; k < s.depth; k++) {
            const float one = expf(first[n * row + k] - most[k]);
            r->keys[n * s.depth + k] = one;
            sum[k] += one;
        }
    for (long n = 0; n < s.frames; n++)
        for (long k = 0; k < s.depth; k++) r->keys[n * s.depth + k] /= sum[k];
}

/* Normalise the rows of a clip; make its values with zeros around them, its keys, its content. */
INLINE void load(Room *r, Sizes s, const float *z, const Blocks of) {
    const long row = row_of(s), half = s.scope / 2;
    for (long n = 0; n < s.frames; n++) {
        float *u = r->u + n * row;
        for (long i = 0; i < row; i++) u[i] = z[n * row + i] * r->scale[i] + r->shift[i];
        memcpy(at(r->values, of.width, n + half), u + s.depth * of.heads, s.width * sizeof(float));
        if (s.is_unit) bound_queries(u, r->norms + n * of.heads, s, of.heads);
    }
    soften_keys(r, s);
    memset(r->content, 0, s.depth * of.width * sizeof(vec));
    for (long n = 0; n < s.frames; n++)
        for (long k = 0; k < s.depth; k++)
            add(at(r->content, of.width, k), r->keys[n * s.depth + k],
                at(r->values, of.width, n + half), of.width);
}

INLINE void forward_frame(Room *r, Sizes s, long n, float *y, const Blocks of) {
    const float *q = r->u + n * row_of(s);
    vec out[of.heads][of.width], taps[of.heads][of.scope];
    memset(out, 0, sizeof out);
    memset(taps, 0, sizeof taps);
    for (long k = 0; k < s.depth; k++)
        for (long h = 0; h < of.heads; h++) {
            add(out[h], q[k * of.heads + h], at(r->content, of.width, k), of.width);
            add(taps[h], q[k * of.heads + h], at(r->taps, of.scope, k), of.scope);
        }
    memcpy(r->weights, taps, sizeof taps);
    for (long j = 0; j < s.scope; j++)
        for (long h = 0; h < of.heads; h++)
            add(out[h], r->weights[h * of.scope * LANES + j], at(r->values, of.width, n + j),
                of.width);
    for (long v = 0; v < s.width; v++)
        for (long h = 0; h < of.heads; h++) y[v * of.heads + h] = ((float *)out[h])[v];
}

/* From a frame's gradient to those of the content and of the values around it. */
INLINE void back_to_values(Room *r, Sizes s, long n, const Blocks of) {
    const float *q = r->u + n * row_of(s);
    vec taps[of.heads][of.scope], grad[of.heads][of.width];
    memset(taps, 0, sizeof taps);
    memcpy(grad, r->grad, sizeof grad);
    for (long k = 0; k < s.depth; k++)
        for (long h = 0; h < of.heads; h++)
            add(taps[h], q[k * of.heads + h], at(r->taps, of.scope, k), of.scope);
    memcpy(r->weights, taps, sizeof taps);
    for (long k = 0; k < s.depth; k++)
        add_heads(at(r->dcontent, of.width, k), q + k * of.heads, 1, grad[0], of.heads, of.width);
    for (long j = 0; j < s.scope; j++)
        add_heads(at(r->dvalues, of.width, n + j), r->weights + j, of.scope * LANES, grad[0],
                  of.heads, of.width);
}

/* From a frame's gradient to those of its queries and of the embedding. */
INLINE void back_to_queries(Room *r, Sizes s, long n, float *dq, const Blocks of) {
    const float *q = r->u + n * row_of(s), *grad = r->grad;
    vec taps[of.heads][of.scope], to[of.heads][of.depth];
    memset(taps, 0, sizeof taps);
    memset(to, 0, sizeof to);
    for (long v = 0; v < s.width; v++)
        for (long h = 0; h < of.heads; h++) {
            const float one = grad[h * of.width * LANES + v];
            add(taps[h], one, (vec *)(r->across + v * across_of(s) + n), of.scope);
            add(to[h], one, at(r->content_turned, of.depth, v), of.depth);
        }
    memcpy(r->dweights, taps, sizeof taps);
    for (long j = 0; j < s.scope; j++)
        for (long h = 0; h < of.heads; h++)
            add(to[h], r->dweights[h * of.scope * LANES + j], at(r->turned, of.depth, j), of.depth);
    for (long k = 0; k < s.depth; k++)
        add_heads(at(r->dtaps, of.scope, k), q + k * of.heads, 1, taps[0], of.heads, of.scope);
    float *whole = (float *)to; /* a bounded query has no gradient along itself */
    for (long h = 0; s.is_unit && h < of.heads; h++) {
        float along = 0;
        for (long k = 0; k < s.depth; k++)
            along += whole[h * of.depth * LANES + k] * q[k * of.heads + h];
        for (long k = 0; k < s.depth; k++) {
            float *one = whole + h * of.depth * LANES + k;
            *one = r->norms[n * of.heads + h] * (*one - along / s.depth * q[k * of.heads + h]);
        }
    }
    for (long k = 0; k < s.depth; k++)
        for (long h = 0; h < of.heads; h++) dq[k * of.heads + h] = whole[h * of.depth * LANES + k];
}

/* From the gradients of a clip's content and values to those of its rows' values and keys. */
INLINE void back_to_keys(Room *r, Sizes s, float *dz, const Blocks of) {
    const long row = row_of(s), half = s.scope / 2;
    float total[s.depth];
    memset(total, 0, sizeof total);
    for (long v = 0; v < s.width; v++)
        for (long k = 0; k < s.depth; k++)
            floats_at(r->dcontent_turned, of.depth, v)[k] = floats_at(r->dcontent, of.width, k)[v];
    for (long n = 0; n < s.frames; n++) {
        const float *keys = r->keys + n * s.depth;
        const float *values = floats_at(r->values, of.width, n + half);
        float *dkeys = dz + n * row + normed_of(s);
        vec *dvalues = at(r->dvalues, of.width, n + half), sum[of.depth];
        memset(sum, 0, sizeof sum);
        for (long k = 0; k < s.depth; k++)
            add(dvalues, keys[k], at(r->dcontent, of.width, k), of.width);
        for (long v = 0; v < s.width; v++)
            add(sum, values[v], at(r->dcontent_turned, of.depth, v), of.depth);
        memcpy(dkeys - s.width, dvalues, s.width * sizeof(float));
        for (long k = 0; k < s.depth; k++) {
            dkeys[k] = keys[k] * ((float *)sum)[k];
            total[k] += dkeys[k];
        }
    }
    for (long n = 0; n < s.frames; n++)
        for (long k = 0; k < s.depth; k++)
            dz[n * row + normed_of(s) + k] -= r->keys[n * s.depth + k] * total[k];
}

INLINE void forward_clip(Room *r, const Work *w, long clip, const Blocks of) {
    const long first = clip * w->s.frames;
    load(r, w->s, w->z + first * row_of(w->s), of);
    for (long n = 0; n < w->s.frames; n++)
        forward_frame(r, w->s, n, w->y + (first + n) * of.heads * w->s.width, of);
}

INLINE void backward_clip(Room *r, const Work *w, long clip, const Blocks of) {
    const Sizes s = w->s;
    const long row = row_of(s), normed = normed_of(s);
    const float *z = w->z + clip * s.frames * row, *g = w->g + clip * s.frames * of.heads * s.width;
    float *dz = w->dz + clip * s.frames * row;
    load(r, s, z, of);
    memset(r->dvalues, 0, padded_frames(s) * of.width * sizeof(vec));
    memset(r->dcontent, 0, s.depth * of.width * sizeof(vec));
    memset(r->dtaps, 0, s.depth * of.scope * sizeof(vec));
    for (long v = 0; v < s.width; v++) {
        for (long m = 0; m < padded_frames(s); m++)
            r->across[v * across_of(s) + m] = floats_at(r->values, of.width, m)[v];
        for (long k = 0; k < s.depth; k++)
            floats_at(r->content_turned, of.depth, v)[k] = floats_at(r->content, of.width, k)[v];
    }
    for (long n = 0; n < s.frames; n++) {
        for (long v = 0; v < s.width; v++)
            for (long h = 0; h < of.heads; h++)
                floats_at(r->grad, of.width, h)[v] = g[(n * s.width + v) * of.heads + h];
        back_to_values(r, s, n, of);
        back_to_queries(r, s, n, dz + n * row, of);
    }
    back_to_keys(r, s, dz, of);
    float offset[normed], gain[normed]; /* sums of a clip first: more exact */
    memset(offset, 0, sizeof offset);
    memset(gain, 0, sizeof gain);
    for (long n = 0; n < s.frames; n++)
        for (long i = 0; i < normed; i++) {
            offset[i] += dz[n * row + i];
            gain[i] += dz[n * row + i] * (z[n * row + i] - w->mean[i]);
        }
    for (long i = 0; i < normed; i++) w->doffset[i] += offset[i], w->dgain[i] += gain[i];
    for (long k = 0; k < s.depth; k++)
        for (long j = 0; j < s.scope; j++)
            w->dembedding[k * s.scope + j] += floats_at(r->dtaps, of.scope, k)[j];
}

INLINE void work_clip(Room *r, const Work *w, long clip, const Blocks of) {
    w->g ? backward_clip(r, w, clip, of) : forward_clip(r, w, clip, of);
}

static void *work_part(void *given) {
    Work *w = given;
    const Sizes s = w->s;
    const Blocks of = {s.heads, BLOCKS(s.width), BLOCKS(s.scope), BLOCKS(s.depth)};
    const int is_ours = of.heads == 4 && of.depth == 1;
    Room r;
    if ((w->is_failed = !make_room(&r, s))) return 0;
    prepare(&r, w);
    for (long clip = w->first; clip < w->last; clip++)
        if (is_ours && of.width == 1 && of.scope == 2)
            work_clip(&r, w, clip, (Blocks){4, 1, 2, 1});
        else if (is_ours && of.width == 1 && of.scope == 1)
            work_clip(&r, w, clip, (Blocks){4, 1, 1, 1});
        else if (is_ours && of.width == 2 && of.scope == 2)
            work_clip(&r, w, clip, (Blocks){4, 2, 2, 1});
        else
            work_clip(&r, w, clip, of);
    free(r.all);
    return 0;
}

/* Share the clips among threads. What is a sum has a place for each of them, one after another. */
static int share(const Work *whole) {
    const Sizes s = whole->s;
    Work works[s.threads];
    pthread_t threads[s.threads];
    int is_started[s.threads], is_failed = 0;
    for (long t = 0; t < s.threads; t++) {
        works[t] = *whole;
        works[t].first = s.clips * t / s.threads;
        works[t].last = s.clips * (t + 1) / s.threads;
        if (whole->g) {
            works[t].dgain += t * normed_of(s);
            works[t].doffset += t * normed_of(s);
            works[t].dembedding += t * s.depth * s.scope;
        }
        is_started[t] = t && !pthread_create(&threads[t], 0, work_part, &works[t]);
    }
    for (long t = 0; t < s.threads; t++)
        if (!is_started[t]) work_part(&works[t]);
    for (long t = 0; t < s.threads; t++) {
        if (is_started[t]) pthread_join(threads[t], 0);
        is_failed |= works[t].is_failed;
    }
    return is_failed;
}

/* Returns 0, or 1 where there was no memory; so does the next. */
int lambda_forward(const Sizes *s, const float *z, const float *mean, const float *variance,
                   const float *gain, const float *offset, const float *embedding, float *y) {
    const Work w = {*s, z, mean, variance, gain, offset, embedding, .y = y};
    return share(&w);
}

/* The last three come as zeros for each thread, and go as the sums in their first places: of the
 * gradients of the normalised columns, times what they are the gradients of in dgain. */
int lambda_backward(const Sizes *given, const float *z, const float *mean, const float *variance,
                    const float *gain, const float *offset, const float *embedding, const float *g,
                    float *dz, float *dgain, float *doffset, float *dembedding) {
    const Sizes s = *given;
    const long normed = normed_of(s);
    const Work w = {s, z, mean, variance, gain, offset, embedding, .g = g, .dz = dz, .dgain = dgain,
                    .doffset = doffset, .dembedding = dembedding};
    if (share(&w)) return 1;
    for (long t = 1; t < s.threads; t++) {
        for (long i = 0; i < normed; i++) dgain[i] += dgain[t * normed + i];
        for (long i = 0; i < normed; i++) doffset[i] += doffset[t * normed + i];
        for (long i = 0; i < s.depth * s.scope; i++)
            dembedding[i] += dembedding[t * s.depth * s.scope + i];
    }
    return 0;
}
