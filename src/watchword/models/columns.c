/* Batch normalisation of the first columns of rows (rows, row), as lambda.c applies it. */
#include <math.h>
#include <string.h>

#define BLOCK 128 /* rows whose sums are kept in float before they join those in double */

/* Mean and variance of the first columns of rows; sums start from the first row's values, so that a
 * mean far from zero costs the variance no digits. */
int column_moments(const float *z, long rows, long row, long columns, float *mean,
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

/* Go back through the normalisation: dz less its mean and less what follows z, in place. In come
 * the sums over rows of dz (doffset) and of dz (z - mean) (dgain, which goes as that of the gain). */
int column_gradients(const float *z, long rows, long row, long columns, const float *mean,
                     const float *variance, const float *gain, float eps, float *dgain,
                     const float *doffset, float *dz) {
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
            dz[n * row + i] = a[i] * dz[n * row + i] + b[i] * z[n * row + i] + c[i];
    return 0;
}
