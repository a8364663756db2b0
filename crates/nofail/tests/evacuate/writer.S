# A guest that writes for ever and checks itself: sector 64 + (n mod 128) is filled with n, after it
# was read and found to hold n - 128 throughout. When it starts it checks what it finds there: each
# sector one number throughout, none missing of the last 128; then it clears them and goes on counting
# from there. What it found stands in sector 1: "OK!!", n and where it began, or "BAD!", upon which it
# halts. With REST defined it sleeps after every eighth write until the timer ticks (18 times a second),
# so that it leaves the processor to others. Loaded by the firmware at 0x7c00; 16 bits, BIOS disk services.
    .code16
    .intel_syntax noprefix
    .set base, 0x7c00
    .set buffer, 0x8000
start:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, base
    cld
    xor ebp, ebp
    xor edx, edx
    mov edi, 1
    call read
    cmp dword ptr [buffer], 0x21214b4f
    jne known
    mov ebp, dword ptr [buffer+4]
    mov eax, dword ptr [buffer+8]
    mov dword ptr [before+base], eax
known:
    mov dword ptr [first+base], ebp
    xor ebx, ebx
old:
    lea edi, [ebx+64]
    call read
    mov eax, dword ptr [buffer]
    call whole
    or eax, eax
    jz unwritten
    mov edx, ebp
    sub edx, 0x80
    cmp eax, edx
    jle bad
    mov edx, eax
    and edx, 0x7f
    cmp edx, ebx
    jne bad
    jmp clear
unwritten:
    mov edx, ebp
    sub edx, dword ptr [before+base]
    cmp edx, 0x80
    jge bad
clear:
    xor eax, eax
    call fill
    lea edi, [ebx+64]
    call write
    inc ebx
    cmp ebx, 0x80
    jne old
next:
    inc ebp
    mov ebx, ebp
    and ebx, 0x7f
    add ebx, 64
    mov edi, ebx
    call read
    mov eax, ebp
    sub eax, 0x80
    cmp eax, dword ptr [first+base]
    jg again
    xor eax, eax
again:
    call whole
    mov eax, ebp
    call fill
    mov edi, ebx
    call write
    test bp, 7
    jnz next
    mov eax, 0x21214b4f
    call status
.ifdef REST
    sti
    hlt
.endif
    jmp next
whole:
    mov di, buffer
    mov cx, 128
    repe scasd
    je back
bad:
    mov eax, 0x21444142
    call status
halt:
    hlt
    jmp halt
fill:
    mov di, buffer
    mov cx, 128
    rep stosd
back:
    ret
status:
    mov dword ptr [buffer], eax
    mov dword ptr [buffer+4], ebp
    mov edi, dword ptr [first+base]
    mov dword ptr [buffer+8], edi
    mov edi, 1
write:
    mov ah, 0x43
    jmp disk
read:
    mov ah, 0x42
disk:
    mov al, 0
    mov dword ptr [dap+8+base], edi
    mov si, offset dap+base
    mov dl, 0x80
    push ebx
    push ebp
    int 0x13
    pop ebp
    pop ebx
    jc halt
    ret
first: .long 0
before: .long 0
dap: .byte 0x10, 0
    .word 1, buffer, 0
    .long 0, 0
