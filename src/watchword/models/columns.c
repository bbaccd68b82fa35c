/* Batch normalisation of the first columns of rows (rows, row), and the way back through it.
 *
 * Sums over rows are kept in float for a few rows and in double beyond (torch keeps them in float
 * in this layout, and loses two digits); those of the moments start from the first row's values, so
 * that a mean far from zero costs the variance no digits.
 */
#include <math.h>
#include <string.h>

#define BLOCK 16 /* rows summed in float */

/* Mean and variance. */
int column_moments(const float *restrict z, long rows, long row, long columns, float *mean,
                   float *variance) {
    double sum[columns], square[columns];
    for (long i = 0; i < columns; i++) sum[i] = square[i] = 0;
    for (long first = 0; first < rows; first += BLOCK) {
        float part[columns], squares[columns];
        memset(part, 0, sizeof part);
        memset(squares, 0, sizeof squares);
        for (long n = first; n < rows && n < first + BLOCK; n++)
            for (long i = 0; i < columns; i++) {
                const float one = z[n * row + i] - z[i];
                part[i] += one;
                squares[i] += one * one;
            }
        for (long i = 0; i < columns; i++) sum[i] += part[i], square[i] += squares[i];
    }
    for (long i = 0; i < columns; i++) {
        const double centre = sum[i] / rows, spread = square[i] / rows - centre * centre;
        mean[i] = centre + z[i];
        variance[i] = spread > 0 ? spread : 0;
    }
    return 0;
}

/* y = (z - mean) / deviation * gain + offset, for rows of these columns alone. */
int column_apply(const float *restrict z, long rows, long columns, const float *mean,
                 const float *variance, const float *gain, const float *offset, float eps,
                 float *restrict y) {
    float scale[columns], shift[columns];
    for (long i = 0; i < columns; i++) {
        scale[i] = gain[i] / sqrtf(variance[i] + eps);
        shift[i] = offset[i] - mean[i] * scale[i];
    }
    for (long n = 0; n < rows; n++)
        for (long i = 0; i < columns; i++)
            y[n * columns + i] = z[n * columns + i] * scale[i] + shift[i];
    return 0;
}

/* Sums over rows of g (doffset) and of g (z - mean) (dgain). */
int column_sums(const float *restrict z, long rows, long columns, const float *mean,
                const float *restrict g, float *dgain, float *doffset) {
    double gains[columns], offsets[columns];
    for (long i = 0; i < columns; i++) gains[i] = offsets[i] = 0;
    for (long first = 0; first < rows; first += BLOCK) {
        float part[columns], along[columns];
        memset(part, 0, sizeof part);
        memset(along, 0, sizeof along);
        for (long n = first; n < rows && n < first + BLOCK; n++)
            for (long i = 0; i < columns; i++) {
                const float one = g[n * columns + i];
                part[i] += one;
                along[i] += one * (z[n * columns + i] - mean[i]);
            }
        for (long i = 0; i < columns; i++) gains[i] += along[i], offsets[i] += part[i];
    }
    for (long i = 0; i < columns; i++) dgain[i] = gains[i], doffset[i] = offsets[i];
    return 0;
}

/* From the gradient g behind the normalisation to that before it, dz, which may be the same array:
 * less its mean and less what follows z. The sums are those of column_sums; dgain goes as the
 * gradient of the gain. */
int column_gradients(const float *z, long rows, long row, long columns, const float *mean,
                     const float *variance, const float *gain, float eps, float *dgain,
                     const float *doffset, const float *g, float *dz) {
    float a[columns], b[columns], c[columns];
    for (long i = 0; i < columns; i++) {
        const float rate = 1 / sqrtf(variance[i] + eps);
        dgain[i] *= rate;
        a[i] = gain[i] * rate;
        b[i] = -a[i] * rate * dgain[i] / rows;
        c[i] = -a[i] * doffset[i] / rows - b[i] * mean[i];
    }
    for (long n = 0; n < rows; n++)
        for (long i = 0; i < columns; i++)
            dz[n * row + i] = a[i] * g[n * row + i] + b[i] * z[n * row + i] + c[i];
    return 0;
}
