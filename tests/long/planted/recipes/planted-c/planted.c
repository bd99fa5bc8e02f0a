/* One instruction of Zicond, one of a vendor's, one of V as a word, and a loop of V. */
#include <stdio.h>

long zicond(long a, long b) {
  long r;
  __asm__(".option push\n.option arch, +zicond\nczero.eqz %0, %1, %2\n.option pop"
          : "=r"(r) : "r"(a), "r"(b));
  return r;
}

long vendor(long a) {
  long r;
  __asm__(".insn r 0x0b, 0, 0, %0, %1, x0" : "=r"(r) : "r"(a));
  return r;
}

long word(long a) {
  __asm__ volatile(".word 0x0d0072d7" ::: "t0"); /* vsetvli t0, zero, e64, m1, ta, ma */
  return a + 1;
}

__attribute__((target("arch=+v"))) void loop(int *a, const int *b, int n) {
  for (int i = 0; i < n; i++) a[i] += 3 * b[i];
}

int main(int argc, char **argv) {
  int a[64], b[64];
  for (int i = 0; i < 64; i++) a[i] = b[i] = i * argc;
  loop(a, b, 64);
  printf("%ld %ld %ld %d %s\n", zicond(argc, 1), vendor(argc), word(argc), a[3], argv[0]);
  return 0;
}
